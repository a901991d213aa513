"""What was asked of AWS, written down before it is asked: ``results/aws/launches.json``.

A job is *intended* before its request is sent, and *launched* or *refused* once AWS has answered without
doubt. After a crash or a doubtful answer the intention stays, and its cell is launched again only under the
same job name, which SageMaker accepts once: a second request cannot start a second job.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from psa_tui.errors import PsaError
from psa_tui.storage.atomic_write import atomic_write
from psa_tui.storage.locks import take_lock

FILE_NAME = "launches.json"
_SCHEMA = 1


class LaunchState(StrEnum):
    """What is known of a request."""

    INTENDED = "intended"
    LAUNCHED = "launched"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Launch:
    """One request for one job."""

    job: str
    place: str
    """A digest of region, bucket and prefix, so that two accounts' requests are kept apart without naming them."""
    study: str
    state: LaunchState
    at: str


def place_digest(region: str, bucket: str, prefix: str) -> str:
    """Return where jobs are launched, as a short digest: a bucket's name may hold an account number."""
    return hashlib.sha256("\0".join((region, bucket, prefix)).encode()).hexdigest()[:16]


class LaunchJournal:
    """The launches of one results folder; every change is on the disk before the method returns."""

    def __init__(self, folder: Path) -> None:
        """Read what is there; ``folder`` need not exist.

        Raises:
            PsaError: the file is there and cannot be read: launching without it could start a job twice.
        """
        self.path = folder / FILE_NAME
        self._launches = _read(self.path)

    def intended(self, place: str) -> list[Launch]:
        """Return the requests whose outcome is not known."""
        return [launch for launch in self._launches.values() if launch.place == place and launch.state == "intended"]

    def intend(self, job: str, place: str, study: str) -> None:
        """Record that ``job`` is about to be asked for."""
        at = datetime.now(UTC).isoformat(timespec="seconds")
        self._launches[job] = Launch(job, place, study, LaunchState.INTENDED, at)
        self._write()

    def settle(self, job: str, state: LaunchState) -> None:
        """Record what became of ``job``."""
        self._launches[job] = replace(self._launches[job], state=state)
        self._write()

    def _write(self) -> None:
        content = {"schema": _SCHEMA, "launches": [asdict(launch) for launch in self._launches.values()]}
        try:
            atomic_write(self.path, json.dumps(content, indent=1).encode())
        except OSError as error:
            raise PsaError(f"{self.path}: cannot be written ({error.strerror}); see to space and permissions") from None


def _read(path: Path) -> dict[str, Launch]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["schema"] != _SCHEMA:
            raise ValueError(f"schema {content['schema']}, this version reads {_SCHEMA}")
        launches = [Launch(**{**values, "state": LaunchState(values["state"])}) for values in content["launches"]]
    except FileNotFoundError:
        return {}
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise PsaError(
            f"{path}: cannot be read ({error}), and without it a job could be launched twice; restore it, or move it "
            "away once psa aws status shows every job you expect"
        ) from None
    return {launch.job: launch for launch in launches}


@contextmanager
def launching(folder: Path) -> Iterator[LaunchJournal]:
    """Open the journal of ``folder``, with every other launcher kept out while the block runs.

    Raises:
        PsaError: another process launches, or the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = take_lock(folder / f".{FILE_NAME}.lock", wait=False)
    except BlockingIOError:
        raise PsaError(f"{folder}: another psa aws launch is at work; wait for it to end") from None
    except OSError as error:
        raise PsaError(f"{folder}: cannot be written ({error.strerror}); choose another --results-dir") from None
    try:
        yield LaunchJournal(folder)
    finally:
        os.close(descriptor)
