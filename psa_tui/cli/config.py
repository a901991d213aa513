"""``psa config``: every setting, its value and where it came from."""

from __future__ import annotations

import json as json_format
import sys
from typing import Annotated

import typer

from psa_tui.formatting import printable
from psa_tui.settings import SETTINGS, load_settings


def config(
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Show every setting and where its value comes from: the environment, .env, psa.toml or the default.

    A run that goes on takes what is "default" here from its checkpoint.
    """
    settings = load_settings({})
    settings.train_config()
    rows = []
    for name, setting in SETTINGS.items():
        found = settings.find(name)
        text = "" if found is None else str(found.value)
        origin = "not set" if found is None else found.origin
        rows.append({"setting": name, "value": text, "origin": origin, "variable": setting.variable})
    if json:
        json_format.dump(rows, sys.stdout, indent=2)
        print()
        return

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for column in ("setting", "value", "from", "variable"):
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(row[key])) for key in ("setting", "value", "origin", "variable")))
    Console(width=None if sys.stdout.isatty() else 240).print(table)
