"""``psa aws status``: how the jobs stand, once or until all have ended."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from psa_tui.cli.aws import options
from psa_tui.cli.output import print_note
from psa_tui.errors import ConfigError, RetryableError
from psa_tui.formatting import duration, printable

if TYPE_CHECKING:
    from psa_tui.aws.status import Standing


def status(
    watch: Annotated[bool, typer.Option("--watch", help="Look again until no job runs any more.")] = False,
    interval: Annotated[float, typer.Option(metavar="S", min=1, help="Seconds between two looks.")] = 30,
    everything: options.All = False,
    json: options.Json = False,
) -> None:
    """Show the running jobs, the failed and stopped ones without a successor, and how many there are of each."""
    from psa_tui.aws.client import open_client
    from psa_tui.aws.settings import load_aws_settings
    from psa_tui.aws.status import Watch

    if watch and json:
        raise ConfigError("--watch and --json exclude each other; choose one")
    settings = load_aws_settings()
    looking = Watch(open_client("sagemaker", settings), settings)
    standing = looking.look(datetime.now(UTC))
    if watch:
        _follow(looking, standing, interval, everything)
    elif json:
        options.print_json("jobs", _rows_for_programs(standing))
    else:
        _print(standing, everything)


def _follow(looking: Any, standing: Standing, interval: float, everything: bool) -> None:
    if not sys.stdout.isatty():
        before = ""
        while True:
            if (line := _summary(standing)) != before:
                print(f"{standing.now:%Y-%m-%d %H:%M:%S} {line}", flush=True)
                before = line
            if not standing.active:
                return
            standing = _next_look(looking, standing, interval)
    from rich.console import Console
    from rich.live import Live

    console = Console(highlight=False)
    with Live(_picture(standing, everything, console.height), console=console, auto_refresh=False) as live:
        while standing.active:
            standing = _next_look(looking, standing, interval)
            live.update(_picture(standing, everything, console.height), refresh=True)


def _next_look(looking: Any, before: Standing, interval: float) -> Standing:
    """How things stand after ``interval`` seconds; as before while AWS cannot be reached, for days may pass."""
    time.sleep(interval)
    try:
        found: Standing = looking.look(datetime.now(UTC))
    except RetryableError as error:
        print_note(str(error))
        return before
    return found


def _picture(standing: Standing, everything: bool, height: int) -> Any:
    from rich.console import Group
    from rich.text import Text

    rows = _rows(standing, everything)
    shown = rows[: max(height - 5, 1)]
    more = [Text(f"... and {len(rows) - len(shown)} more")] if len(shown) < len(rows) else []
    return Group(
        options.make_table(_COLUMNS, shown, _RIGHT), *more, Text(f"{standing.now:%H:%M:%S} {_summary(standing)}")
    )


_COLUMNS, _RIGHT = ("job", "state", "step", "time"), ("time",)


def _rows(standing: Standing, everything: bool) -> list[tuple[str, ...]]:
    jobs = standing.jobs if everything else standing.notable
    return [(job.job.name, job.status, job.step, duration(standing.seconds(job))) for job in jobs]


def _summary(standing: Standing) -> str:
    counts = ", ".join(f"{count} {status}" for status, count in standing.counts.items())
    return f"{len(standing.jobs)} jobs{': ' if counts else ''}{counts}"


def _print(standing: Standing, everything: bool) -> None:
    if rows := _rows(standing, everything):
        options.print_table(_COLUMNS, rows, _RIGHT)
    for name, reason in standing.failures.items():
        print(printable(f"{name}: {reason}"))
    print(_summary(standing))


def _rows_for_programs(standing: Standing) -> list[dict[str, Any]]:
    return [
        {
            "job": job.job.name,
            "shape": str(job.job.shape),
            "mode": str(job.job.mode),
            "status": job.status,
            "step": job.step,
            "created": job.created.isoformat(),
            "ended": None if job.ended is None else job.ended.isoformat(),
            "seconds": round(standing.seconds(job)),
            "failure": standing.failures.get(job.job.name),
        }
        for job in standing.jobs
    ]
