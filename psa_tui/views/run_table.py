"""Runs as the table that ``psa results runs`` prints: as wide as the terminal, the sparkline takes what is left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from psa_tui.formatting import network_words, percent, printable, time_taken
from psa_tui.runs.history import RunOverview
from psa_tui.views.sparkline import sparkline

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_SPARKLINE_WIDTHS = (8, 40)
_SPARE = ("data", "time", "tags", "loops", "state")
"""Columns that a narrow terminal goes without, the first of them first: names are to be copied, and stay whole."""
_ROOMY = 1000


def print_runs(found: Sequence[RunOverview], console: Console, *, ascii_only: bool) -> None:
    """Print a row a run; names and tags have columns where any run has some."""
    least, most = _SPARKLINE_WIDTHS
    roomy = console.options.update(width=_ROOMY)
    for count in range(len(_SPARE) + 1):
        left_out = _SPARE[:count]
        spare = console.width - console.measure(_table(found, least, ascii_only, left_out), options=roomy).maximum
        if spare >= 0:
            break
    console.print(_table(found, min(least + max(spare, 0), most), ascii_only, left_out))


def _table(found: Sequence[RunOverview], sparkline_width: int, ascii_only: bool, left_out: Sequence[str]) -> Table:
    from rich.table import Table
    from rich.text import Text

    rows = [dict(_cells(run, sparkline_width, ascii_only)) for run in found]
    shown = [name for name in rows[0] if name not in left_out]
    names = [name for name in shown if name not in ("name", "tags") or any(row[name] for row in rows)]
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for name in names:
        table.add_column(name, no_wrap=name not in ("shape", "tags"), overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(row[name])) for name in names))
    return table


def _cells(run: RunOverview, sparkline_width: int, ascii_only: bool) -> Iterator[tuple[str, str]]:
    row = run.row
    yield "name", row.name or ""
    yield "run", row.run
    yield "state", row.state
    yield "shape", network_words(row.network, row.architecture)
    yield "mode", row.mode
    yield "data", row.dataset
    yield "loops", f"{row.meta_loop}/{row.last_meta_loop}"
    yield "time", time_taken(run.seconds)
    yield "bounty", percent(row.bounty)
    yield "tags", " ".join(row.tags)
    yield "accuracy", sparkline(run.validation_accuracies, sparkline_width, ascii_only=ascii_only) or "-"
