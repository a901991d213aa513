"""What a job wrote, from CloudWatch: read from its beginning, followed, and kept as a file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from psa_tui.aws.client import aws_errors, redact
from psa_tui.aws.settings import AwsSettings
from psa_tui.errors import PsaError
from psa_tui.formatting import printable
from psa_tui.storage.atomic_write import named

LOG_GROUP = "/aws/sagemaker/TrainingJobs"


class JobLog:
    """The log of one job; each call of ``new_lines`` goes on where the one before ended."""

    def __init__(self, client: Any, settings: AwsSettings, job: str) -> None:
        """Prepare to read with ``client``, of CloudWatch Logs; nothing is asked yet."""
        self._client, self._settings, self._job = client, settings, job
        self._tokens: dict[str, str | None] = {}
        """Where to go on, by stream: a job has one stream a start of its instance."""

    def new_lines(self) -> Iterator[str]:
        """Return what was written since the last call, a line an event, harmless to show.

        Raises:
            AwsError, RetryableError, ConfigError: CloudWatch cannot be asked.
        """
        with aws_errors(f"reading the log of {self._job}", self._settings):
            for stream in self._streams():
                self._tokens.setdefault(stream, None)
        for stream in self._tokens:
            yield from self._stream_lines(stream)

    def _streams(self) -> list[str]:
        try:
            pages = self._client.get_paginator("describe_log_streams").paginate(
                logGroupName=LOG_GROUP, logStreamNamePrefix=f"{self._job}/"
            )
            return sorted(stream["logStreamName"] for page in pages for stream in page["logStreams"])
        except self._client.exceptions.ResourceNotFoundException:
            # The group comes into being with an account's first job.
            return []

    def _stream_lines(self, stream: str) -> Iterator[str]:
        while True:
            token = self._tokens[stream]
            going_on = {} if token is None else {"nextToken": token}
            with aws_errors(f"reading the log of {self._job}", self._settings):
                page = self._client.get_log_events(
                    logGroupName=LOG_GROUP, logStreamName=stream, startFromHead=True, **going_on
                )
                lines = [_line(event) for event in page["events"]]
            self._tokens[stream] = page["nextForwardToken"]
            yield from lines
            # The end of a stream is told by getting the same token back.
            if page["nextForwardToken"] == token:
                return


def _line(event: dict[str, Any]) -> str:
    moment = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S} {printable(redact(event['message'].rstrip()))}"


class LogFile:
    """A log as it is saved: it takes the place of an older copy only if it is no shorter.

    A log is always read from its beginning, so the longer of two is the more complete one: a connection that
    breaks, or CloudWatch's forgetting, never shortens what was saved.
    """

    def __init__(self, path: Path) -> None:
        """Nothing is written yet.

        Raises:
            PsaError: the folder cannot be written.
        """
        self.path = path
        self._temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # What a killed process of the same id left; a link there is removed, never written through.
            self._temporary.unlink(missing_ok=True)
            self._file = self._temporary.open("x", encoding="utf-8")
        except OSError as error:
            raise PsaError(f"{path}: cannot be written ({error.strerror}); choose another --results-dir") from None

    def write(self, line: str) -> None:
        """Add a line."""
        with named(self.path):
            self._file.write(line + "\n")

    def close(self) -> bool:
        """Keep the longer of this log and the one saved before; return whether it is this one."""
        with named(self.path), self._file:
            self._file.flush()
            os.fsync(self._file.fileno())
        size = self._temporary.stat().st_size
        longer = size > 0 and (not self.path.exists() or size >= self.path.stat().st_size)
        if longer:
            self._temporary.replace(self.path)
        else:
            self._temporary.unlink()
        return longer
