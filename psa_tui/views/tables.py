"""Plain tables on stdout."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from psa_tui.formatting import printable
from psa_tui.views.messages import print_note

if TYPE_CHECKING:
    from rich.table import Table

PIPE_WIDTH = 240
"""In a pipe there is no width to fit, and a cell must stay in one piece."""


def make_table(columns: Sequence[str], rows: Iterable[Sequence[str]], words: int | None = None, gap: int = 1) -> Table:
    """Return a table without rules, whose texts cannot drive the terminal and are no markup.

    Args:
        columns: the headings.
        rows: the cells.
        words: columns after the first so many are numbers; None says that all are words.
        gap: columns of the terminal between two of the table.
    """
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0))
    for index, column in enumerate(columns):
        is_number = words is not None and index >= words
        table.add_column(Text(printable(column)), justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    return table


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], words: int | None = None, gap: int = 1) -> None:
    """Print a table in the width of the terminal.

    Long words are folded. Where numbers have no room even so, the last columns are left out, which is said.
    """
    missing = _print(columns, list(rows), words, gap)
    if missing:
        print_note(f"no room here for {', '.join(missing)}; a wider terminal or a pipe has all columns")


def print_names(
    columns: Sequence[str], rows: Sequence[Sequence[str]], spare: Sequence[str], words: int | None = None, gap: int = 1
) -> None:
    """Print a table whose first column has names to be copied, each in one piece.

    ``spare`` are columns that a terminal too narrow for all goes without, the first of them first.
    """
    _print(columns, rows, words, gap, spare=[columns.index(name) for name in spare], whole=True)


def _print(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    words: int | None,
    gap: int,
    *,
    spare: Sequence[int] = (),
    whole: bool = False,
) -> list[str]:
    """Print a table and return the headings of the columns that are left out."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from psa_tui.views.column_widths import folded, layout_of

    room = Console().width if sys.stdout.isatty() else PIPE_WIDTH
    heads, *cells = ([printable(cell) for cell in row] for row in (columns, *rows))
    layout = layout_of(heads, cells, room, gap=gap, first_number=words, spare=spare, whole=whole)
    table = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0))
    for place, width in zip(layout.places, layout.widths, strict=True):
        is_number = words is not None and place >= words
        head = Text(folded(heads[place], width))
        table.add_column(head, justify="right" if is_number else "left", overflow="fold", width=width)
    for row in cells:
        shown = zip(layout.places, layout.widths, strict=True)
        table.add_row(*(Text(folded(row[place], width)) for place, width in shown))
    # A table that nothing makes narrow enough is broken by the terminal, between its lines and not in its numbers.
    taken = sum(layout.widths) + gap * len(layout.widths)
    Console(width=max(room, taken), highlight=False).print(table)
    return [columns[place] for place in range(len(columns)) if place not in layout.places]
