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


def make_table(columns: Sequence[str], rows: Iterable[Sequence[str]], words: int | None = None, gap: int = 1) -> Table:
    """Return a table without rules, whose texts cannot drive the terminal and are no markup.

    Args:
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
    """Print ``make_table``."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else PIPE_WIDTH
    Console(width=width, highlight=False).print(make_table(columns, rows, words, gap))
