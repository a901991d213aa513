"""``psa aws logs``: what a job wrote, shown and saved."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from psa_tui.cli.options import ResultsDir
from psa_tui.cli.output import print_note
from psa_tui.errors import ConfigError
from psa_tui.settings import load_settings

if TYPE_CHECKING:
    from psa_tui.aws.logs import JobLog

_POLL_S = 2.0


def logs(
    job: Annotated[str, typer.Argument(metavar="JOB", help="A job's name, as psa aws status shows it.")],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the job has ended.")] = False,
    results_dir: ResultsDir = None,
) -> None:
    """Show a job's log from CloudWatch, and save it in the results folder (aws/logs/JOB.log)."""
    from psa_tui.aws.client import open_client
    from psa_tui.aws.jobs import parse_job
    from psa_tui.aws.logs import JobLog, LogFile
    from psa_tui.aws.settings import load_aws_settings

    if parse_job(job) is None:
        raise ConfigError(f"{job[:80]!r}: expected the name of a job, psa-<L>x<W>-<mode>-<timestamp>")
    settings = load_aws_settings()
    log = JobLog(open_client("logs", settings), settings, job)
    folder: Path = load_settings({"results_dir": results_dir}).get("results_dir")
    sagemaker = open_client("sagemaker", settings)
    file = LogFile(folder / "aws" / "logs" / f"{job}.log")
    lines = 0
    try:
        for line in _lines(log, sagemaker, settings, job, follow):
            lines += 1
            file.write(line)
            print(line, flush=follow)
    finally:
        saved = file.close()
    if saved:
        print_note(f"saved to {file.path}")
    else:
        print_note("no log yet" if not lines else f"{file.path} is longer, and was kept")


def _lines(log: JobLog, sagemaker: Any, settings: Any, job: str, follow: bool) -> Any:
    """The lines there are; with ``follow`` also those that come until the job has ended.

    A job that does not exist is an error.
    """
    from psa_tui.aws.training_jobs import ACTIVE, describe_job

    described = describe_job(sagemaker, settings, job)
    while follow and described.status in ACTIVE:
        yield from log.new_lines()
        time.sleep(_POLL_S)
        described = describe_job(sagemaker, settings, job)
    yield from log.new_lines()
