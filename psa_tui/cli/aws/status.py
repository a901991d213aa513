"""``psa aws status``: how the jobs are, once or until all have ended."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from psa_tui.cli.aws import options
from psa_tui.cli.options import Json
from psa_tui.errors import ConfigError, RetryableError
from psa_tui.formatting import printable
from psa_tui.views.messages import print_note

if TYPE_CHECKING:
    from psa_tui.aws.status import JobsStatus, JobWatcher


def status(
    watch: Annotated[bool, typer.Option("--watch", help="Look again until no job runs any more.")] = False,
    interval: Annotated[float, typer.Option(metavar="S", min=1, help="Seconds between two looks.")] = 30,
    everything: options.All = False,
    json: Json = False,
) -> None:
    """Show the running jobs, the failed and stopped ones without a successor, and how many there are of each."""
    from psa_tui.aws.client import open_client
    from psa_tui.aws.settings import load_aws_settings
    from psa_tui.aws.status import JobWatcher
    from psa_tui.views.jobs import jobs_as_json, print_jobs

    if watch and json:
        raise ConfigError("--watch and --json exclude each other; choose one")
    settings = load_aws_settings()
    watcher = JobWatcher(open_client("sagemaker", settings), settings)
    found = watcher.poll(datetime.now(UTC))
    if watch:
        _follow(watcher, found, interval, everything)
    elif json:
        options.print_json("jobs", jobs_as_json(found))
    else:
        print_jobs(found, everything)


def _follow(watcher: JobWatcher, found: JobsStatus, interval: float, everything: bool) -> None:
    from psa_tui.views.jobs import draw_jobs, format_counts

    if not sys.stdout.isatty():
        before = ""
        while True:
            if (line := format_counts(found)) != before:
                print(f"{found.now:%Y-%m-%d %H:%M:%S} {printable(line)}", flush=True)
                before = line
            if not found.active:
                return
            found = _poll_later(watcher, found, interval)
    from rich.console import Console
    from rich.live import Live

    console = Console(highlight=False)
    with Live(draw_jobs(found, everything, console.height), console=console, auto_refresh=False) as live:
        while found.active:
            found = _poll_later(watcher, found, interval)
            live.update(draw_jobs(found, everything, console.height), refresh=True)


def _poll_later(watcher: JobWatcher, before: JobsStatus, interval: float) -> JobsStatus:
    """Return how the jobs are after ``interval`` seconds; as before while AWS cannot be reached, for days may pass."""
    time.sleep(interval)
    try:
        return watcher.poll(datetime.now(UTC))
    except RetryableError as error:
        print_note(str(error))
        return before
