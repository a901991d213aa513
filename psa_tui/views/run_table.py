"""Runs as the table that ``psa results runs`` prints: as wide as the terminal, the sparkline takes what is left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len

from psa_tui.formatting import network_words, percent, printable, time_taken
from psa_tui.runs.history import RunOverview
from psa_tui.views.column_widths import folded, layout_of
from psa_tui.views.sparkline import sparkline

if TYPE_CHECKING:
    from rich.console import Console

_SPARKLINE_WIDTHS = (8, 40)
_SPARE = ("data", "time", "tags", "loops", "state", "shape")
"""Columns that a narrow terminal goes without, the first of them first: names are to be copied, and stay whole."""


def print_runs(found: Sequence[RunOverview], console: Console, *, ascii_only: bool) -> None:
    """Print a row a run; names and tags have columns where any run has some.

    Where a terminal has no room for all, a run with a name goes by it, and long modes are folded.
    """
    from rich.table import Table
    from rich.text import Text

    least, most = _SPARKLINE_WIDTHS
    rows = [{name: printable(cell) for name, cell in _cells(run)} for run in found]
    names = [name for name in rows[0] if name not in ("name", "tags") or any(row[name] for row in rows)]
    widths = [max(cell_len(text) for text in (name, *(row[name] for row in rows))) for name in names]
    wanted = sum(width + 1 for name, width in zip(names, widths, strict=True) if name not in _SPARE[:2])
    if wanted + least + 1 > console.width:
        names = [name for name in names if name != "name"]
        rows = [row | {"run": row["name"] or row["run"]} for row in rows]
    cells = [[row[name] for name in names] for row in rows]
    spare = [names.index(name) for name in _SPARE if name in names]
    layout = layout_of(names, cells, console.width - least - 1, spare=spare, whole=True)
    room = console.width - sum(layout.widths) - len(layout.widths) - 1
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for place, width in zip(layout.places, layout.widths, strict=True):
        table.add_column(names[place], width=width, overflow="fold")
    table.add_column("accuracy", no_wrap=True)
    for run, row in zip(found, cells, strict=True):
        shown = (folded(row[place], width) for place, width in zip(layout.places, layout.widths, strict=True))
        curve = sparkline(run.validation_accuracies, min(max(room, least), most), ascii_only=ascii_only) or "-"
        table.add_row(*map(Text, shown), Text(curve))
    console.print(table)


def _cells(run: RunOverview) -> Iterator[tuple[str, str]]:
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
