"""What more than one command of ``psa aws`` takes, asks or prints, each written once."""

from __future__ import annotations

import json as json_format
import sys
from typing import Annotated

import typer

from psa_tui.views.messages import confirmed, print_note

Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
All = Annotated[bool, typer.Option("--all", help="Every line, not only the first ones.")]
Price = Annotated[
    str | None, typer.Option(metavar="USD", help="Price of an instance an hour (default: from the AWS price list).")
]
GAP = 2
"""Columns of the terminal between two of a table."""


def confirm(question: str, declined: str, yes: bool) -> None:
    """Ask on the terminal; the command ends here unless the answer is yes.

    Raises:
        ConfigError: there is no terminal to ask on, and ``--yes`` was not said.
    """
    if yes or confirmed(question, (), f"there is no terminal to ask on: {question} Add --yes to do it"):
        return
    print_note(declined)
    raise typer.Exit(1)


def print_json(name: str, content: object) -> None:
    """Print ``content`` under ``name``, as a JSON object with its schema."""
    json_format.dump({"schema": 1, name: content}, sys.stdout, indent=2, default=str)
    print()
