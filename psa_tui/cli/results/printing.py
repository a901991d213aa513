"""What the commands of ``psa results`` share in printing and writing."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psa_tui.errors import PsaError
from psa_tui.formatting import printable
from psa_tui.storage.atomic_write import atomic_write
from psa_tui.views.messages import print_note
from psa_tui.views.tables import print_table

if TYPE_CHECKING:
    from pandas import DataFrame

    from psa_tui.analysis.text_tables import Text


def print_text(*text: Text) -> None:
    """Print paragraphs and tables on stdout."""
    for part in text:
        if isinstance(part, str):
            _print_paragraph(part)
        else:
            print_table(part.columns, part.rows, part.words)


def print_json(about: dict[str, Any], **tables: DataFrame) -> None:
    """Print one JSON object: schema, ``about``, and each table as a list of objects (fractions, null for NaN)."""
    records = {name: json.loads(table.to_json(orient="records", double_precision=15)) for name, table in tables.items()}
    json.dump({"schema": 1} | about | records, sys.stdout, indent=2)
    print()


def described(table: DataFrame) -> dict[str, Any]:
    """Return what JSON output says of a table as a whole."""
    return {name: table.attrs.get(name) for name in ("source", "study", "quick", "dataset")}


def write_file(path: Path, content: bytes) -> None:
    """Make ``content`` the content of ``path``, durably, and say so on stderr.

    Raises:
        PsaError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, content)
    except OSError as error:
        raise PsaError(f"{path}: cannot be written ({error.strerror or error}); choose another place") from None
    print_note(f"wrote {path}")


def _print_paragraph(text: str) -> None:
    """Wrap at words to the terminal's width; a pipe gets one line."""
    from rich.console import Console
    from rich.text import Text

    if sys.stdout.isatty():
        Console(highlight=False).print(Text(printable(text)))
    else:
        print(printable(text))
