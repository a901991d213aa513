"""Plain tables on stdout."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from psa_tui.formatting import printable

if TYPE_CHECKING:
    from rich.table import Table

PIPE_WIDTH = 240
"""In a pipe there is no width to fit, and a cell must stay in one piece."""


def make_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    words: int | None = None,
    gap: int = 1,
    *,
    whole: bool = False,
) -> Table:
    """Return a table without rules, whose texts cannot drive the terminal and are no markup.

    Args:
        words: columns after the first so many are numbers; None says that all are words.
        gap: columns of the terminal between two of the table.
        whole: whether the first column, of names to be copied, is never broken, however narrow the terminal.
    """
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0))
    for index, column in enumerate(columns):
        is_number = words is not None and index >= words
        table.add_column(
            Text(printable(column)),
            justify="right" if is_number else "left",
            overflow="fold",
            no_wrap=whole and index == 0,
        )
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    return table


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], words: int | None = None, gap: int = 1) -> None:
    """Print ``make_table``."""
    from rich.console import Console

    Console(width=_width(), highlight=False).print(make_table(columns, rows, words, gap))


def print_names(columns: Sequence[str], rows: Sequence[Sequence[str]], spare: Sequence[str]) -> None:
    """Print a table whose first column has names to be copied, each in one piece.

    ``spare`` are columns that a terminal too narrow for all goes without, the first of them first.
    """
    from rich.console import Console

    console, left_out = Console(width=_width(), highlight=False), list(spare)
    while True:
        table = make_table(columns, rows, whole=True)
        wanted = console.measure(table, options=console.options.update(width=PIPE_WIDTH)).maximum
        if not left_out or wanted <= console.width:
            break
        place = columns.index(left_out.pop(0))
        columns, *rows = ([*row[:place], *row[place + 1 :]] for row in (columns, *rows))
    console.print(table)


def _width() -> int | None:
    return None if sys.stdout.isatty() else PIPE_WIDTH
