"""What more than one command of ``psa aws`` takes, asks or prints, each written once."""

from __future__ import annotations

import json as json_format
import sys
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import typer

from psa_tui.cli.output import print_note
from psa_tui.errors import ConfigError
from psa_tui.formatting import printable

Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
All = Annotated[bool, typer.Option("--all", help="Every line, not only the first ones.")]
Price = Annotated[
    str | None, typer.Option(metavar="USD", help="Price of an instance an hour (default: from the AWS price list).")
]
_PIPE_WIDTH = 240


def confirm(question: str, declined: str, yes: bool) -> None:
    """Ask on the terminal; the command ends here unless the answer is yes.

    Raises:
        ConfigError: there is no terminal to ask on, and ``--yes`` was not said.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise ConfigError(f"there is no terminal to ask on: {question} Add --yes to do it")
    print(printable(f"{question} [y/N] "), end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        print_note(declined)
        raise typer.Exit(1)


def print_json(name: str, content: object) -> None:
    """``content`` under ``name``, as a JSON object with its schema."""
    json_format.dump({"schema": 1, name: content}, sys.stdout, indent=2, default=str)
    print()


def make_table(columns: Sequence[str], rows: Iterable[Sequence[object]], right: Sequence[str] = ()) -> Any:
    """A Rich table of texts that cannot drive the terminal; the columns in ``right`` hold numbers."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in columns:
        table.add_column(name, justify="right" if name in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    return table


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], right: Sequence[str] = ()) -> None:
    """Print ``make_table``; in a pipe there is no width to fit."""
    from rich.console import Console

    Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH, highlight=False).print(make_table(columns, rows, right))
