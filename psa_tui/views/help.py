"""Help texts in panels by topic: whole sentences at any width, in colour on a terminal, plain in a pipe."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence

from rich import box
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

_WIDEST = 100
"""Longer lines are hard to read."""
_NARROW = 76
"""Below it a description stands under its option, and not beside it."""
_MOST_NAMES = 34
"""Columns that the names of options may take beside their descriptions."""


def format_help(
    usage: str,
    text: str,
    panels: Mapping[str, Sequence[tuple[str, str]]],
    width: int,
    *,
    colour: bool,
    ascii_only: bool,
) -> str:
    """Return a help text.

    Args:
        usage: the line that shows the command.
        text: what it does, in paragraphs with an empty line between two.
        panels: by title, names of options or commands with what each does.
        width: columns of the terminal.
        colour: whether the terminal understands escape codes.
        ascii_only: whether it has no other characters than ASCII.
    """
    width = min(width, _WIDEST)
    console = Console(
        file=io.StringIO(),
        width=width,
        force_terminal=colour,
        no_color=not colour,
        highlight=False,
        emoji=False,
        legacy_windows=False,
    )
    console.print(Padding(Text(usage, style="bold"), (0, 1)))
    for paragraph in text.split("\n\n"):
        console.print(Padding(Text(" ".join(paragraph.split())), (1, 1, 0, 1)))
    console.print()
    for title, rows in panels.items():
        console.print(
            Panel(
                _stacked(rows) if width < _NARROW else _beside(rows),
                title=Text(title),
                title_align="left",
                border_style="dim",
                box=box.ASCII if ascii_only else box.ROUNDED,
                padding=(0, 1),
            )
        )
    assert isinstance(console.file, io.StringIO)
    return "".join(line.rstrip() + "\n" for line in console.file.getvalue().splitlines())


def _beside(rows: Sequence[tuple[str, str]]) -> RenderableType:
    table = Table.grid(padding=(0, 2, 0, 0), expand=True)
    names = min(max(len(name) for name, _ in rows), _MOST_NAMES)
    table.add_column(width=names, style="cyan")
    table.add_column(ratio=1)
    for name, description in rows:
        table.add_row(Text(name), Text(description))
    return table


def _stacked(rows: Iterable[tuple[str, str]]) -> RenderableType:
    table = Table.grid(expand=True)
    table.add_column(ratio=1)
    for name, description in rows:
        table.add_row(Text(name, style="cyan"))
        table.add_row(Padding(Text(description), (0, 0, 0, 2)))
    return table
