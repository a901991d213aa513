"""``psa aws logs``: what a job wrote, shown and saved."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from psa_tui.cli.options import takes_settings
from psa_tui.errors import ConfigError
from psa_tui.settings import Settings
from psa_tui.views.messages import print_note

if TYPE_CHECKING:
    from psa_tui.aws.logs import JobLog
    from psa_tui.aws.settings import AwsSettings

_POLL_S = 2.0


@takes_settings("results_dir")
def logs(
    settings: Settings,
    job: Annotated[str, typer.Argument(metavar="JOB", help="A job's name, as psa aws status shows it.")],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the job has ended.")] = False,
) -> None:
    """Show a job's log from CloudWatch, and save it in the results folder (aws/logs/JOB.log)."""
    from psa_tui.aws.client import open_client
    from psa_tui.aws.jobs import parse_job
    from psa_tui.aws.logs import JobLog, LogFile
    from psa_tui.aws.settings import load_aws_settings

    if parse_job(job) is None:
        raise ConfigError(f"{job[:80]!r}: expected the name of a job, psa-<L>x<W>-<mode>-<timestamp>")
    aws_settings = load_aws_settings()
    log = JobLog(open_client("logs", aws_settings), aws_settings, job)
    sagemaker = open_client("sagemaker", aws_settings)
    file = LogFile(settings.get("results_dir") / "aws" / "logs" / f"{job}.log")
    lines = 0
    try:
        for line in _lines(log, sagemaker, aws_settings, job, follow):
            lines += 1
            file.write(line)
            print(line, flush=follow)
    finally:
        saved = file.close()
    if saved:
        print_note(f"saved to {file.path}")
    else:
        print_note("no log yet" if not lines else f"{file.path} is longer, and was kept")


def _lines(log: JobLog, sagemaker: Any, settings: AwsSettings, job: str, follow: bool) -> Iterator[str]:
    """Go through the lines there are; with ``follow`` also those that come until the job has ended.

    A job that does not exist is an error.
    """
    from psa_tui.aws.training_jobs import ACTIVE, describe_job

    described = describe_job(sagemaker, settings, job)
    while follow and described.status in ACTIVE:
        yield from log.new_lines()
        time.sleep(_POLL_S)
        described = describe_job(sagemaker, settings, job)
    yield from log.new_lines()
