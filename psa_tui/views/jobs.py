"""Training jobs on SageMaker, as lines, tables and values for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psa_tui.formatting import duration, printable
from psa_tui.views.tables import make_table, print_table

if TYPE_CHECKING:
    from rich.console import Group

    from psa_tui.aws.status import JobsStatus

_COLUMNS, _WORDS, _GAP = ("job", "state", "step", "time"), 3, 2
_SPARE_LINES = 5
"""Of the terminal's height: the table's header, the two lines below, and room to breathe."""


def format_counts(status: JobsStatus) -> str:
    """Return how many jobs there are of each state."""
    counts = ", ".join(f"{count} {name}" for name, count in status.counts.items())
    return f"{len(status.jobs)} jobs{': ' if counts else ''}{counts}"


def draw_jobs(status: JobsStatus, everything: bool, height: int) -> Group:
    """Return the jobs as a picture of at most ``height`` lines."""
    from rich.console import Group
    from rich.text import Text

    rows = _rows(status, everything)
    shown = rows[: max(height - _SPARE_LINES, 1)]
    more = [Text(f"... and {len(rows) - len(shown)} more")] if len(shown) < len(rows) else []
    line = Text(f"{status.now:%H:%M:%S} {format_counts(status)}")
    return Group(make_table(_COLUMNS, shown, _WORDS, _GAP), *more, line)


def print_jobs(status: JobsStatus, everything: bool) -> None:
    """Print the jobs, why some failed, and how many there are of each state."""
    if rows := _rows(status, everything):
        print_table(_COLUMNS, rows, _WORDS, _GAP)
    for name, reason in status.failures.items():
        print(printable(f"{name}: {reason}"))
    print(format_counts(status))


def jobs_as_json(status: JobsStatus) -> list[dict[str, Any]]:
    """Return every job as JSON-ready values."""
    return [
        {
            "job": job.job.name,
            "shape": job.job.shape,
            "mode": job.job.mode,
            "status": job.status,
            "step": job.step,
            "created": job.created.isoformat(),
            "ended": None if job.ended is None else job.ended.isoformat(),
            "seconds": round(status.seconds(job)),
            "failure": status.failures.get(job.job.name),
        }
        for job in status.jobs
    ]


def _rows(status: JobsStatus, everything: bool) -> list[tuple[str, ...]]:
    jobs = status.jobs if everything else status.notable
    return [(job.job.name, job.status, job.step, duration(status.seconds(job))) for job in jobs]
