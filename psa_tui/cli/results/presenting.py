"""What the commands of ``psa results`` share in showing and writing tables."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psa_tui.cli.output import print_note
from psa_tui.errors import ConfigError, PsaError
from psa_tui.formatting import printable
from psa_tui.storage.atomic_write import replace_file

if TYPE_CHECKING:
    from pandas import DataFrame

NO_NUMBER = "-"
_PIPE_WIDTH = 240
"""In a pipe there is no width to fit, and a cell must stay in one piece."""
DATA_FORMATS = (".csv", ".parquet", ".json")


def print_about(table: DataFrame) -> None:
    """One line on stdout: whose numbers follow."""
    from psa_tui.analysis.summary import NOT_A_REPRODUCTION

    mark = f" ({NOT_A_REPRODUCTION})" if table.attrs.get("quick") else ""
    print(printable(f"source {table.attrs['source']}, study {table.attrs['study']}{mark}{other_data(table)}"))


def other_data(table: DataFrame) -> str:
    """A mark for numbers that are not of full MNIST; nothing for those that are."""
    dataset = table.attrs.get("dataset")
    return "" if dataset in (None, "mnist") else f" ({dataset}, not full MNIST)"


def print_rows(columns: Sequence[str], rows: Iterable[Sequence[str]], words: int = 1) -> None:
    """A plain table on stdout whose first ``words`` columns are words and all others numbers."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index < words else "right", overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH, highlight=False).print(table)


def print_paragraph(text: str) -> None:
    """``text`` on stdout, wrapped at words to the terminal's width; one line in a pipe."""
    from rich.console import Console
    from rich.text import Text

    if sys.stdout.isatty():
        Console(highlight=False).print(Text(printable(text)))
    else:
        print(printable(text))


def pct(fraction: float, form: str = ".2f") -> str:
    """A fraction as a percentage without its sign; a dash for what could not be computed."""
    return NO_NUMBER if fraction != fraction else format(round(100 * fraction, 2) + 0.0, form)


def probability(value: float) -> str:
    """A p-value with three decimals, "<.001" when it is smaller; a dash for what could not be computed."""
    if value != value:
        return NO_NUMBER
    return "<.001" if value < 0.001 else f"{value:.3f}"


def print_json(about: dict[str, Any], **tables: DataFrame) -> None:
    """One JSON object: schema, ``about``, and each table as a list of objects (fractions, null for NaN)."""
    content = {"schema": 1} | about | {name: records(table) for name, table in tables.items()}
    json.dump(content, sys.stdout, indent=2)
    print()


def described(table: DataFrame) -> dict[str, Any]:
    """What JSON output says of a table as a whole."""
    return {name: table.attrs.get(name) for name in ("source", "study", "quick", "dataset")}


def records(table: DataFrame) -> list[dict[str, Any]]:
    """The rows as JSON-ready objects."""
    rows: list[dict[str, Any]] = json.loads(table.to_json(orient="records", double_precision=15))
    return rows


def write_file(path: Path, content: bytes) -> None:
    """Make ``content`` the content of ``path``, durably, and say so on stderr.

    Raises:
        PsaError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, content)
    except OSError as error:
        raise PsaError(f"{path}: cannot be written ({error.strerror or error}); choose another place") from None
    print_note(f"wrote {path}")


def check_data_format(path: Path) -> None:
    """Refuse, before any work, a file name that does not say how its table is to be written.

    Raises:
        ConfigError: its ending is none of ``DATA_FORMATS``.
    """
    if path.suffix not in DATA_FORMATS:
        found = printable(repr(path.suffix)) if path.suffix else "none"
        raise ConfigError(f"--output {path}: its ending is {found}, expected one of {', '.join(DATA_FORMATS)}")


def marked(table: DataFrame, whose: DataFrame) -> DataFrame:
    """``table`` with the columns study, dataset and quick: what must not get lost on the way to another program."""
    attrs = whose.attrs
    return table.assign(study=attrs.get("study"), dataset=attrs.get("dataset"), quick=bool(attrs.get("quick")))


def data_bytes(table: DataFrame, suffix: str) -> bytes:
    """``table`` as CSV, Parquet or JSON (one of ``DATA_FORMATS``)."""
    buffer = BytesIO()
    if suffix == ".csv":
        table.to_csv(buffer, index=False, lineterminator="\n")
    elif suffix == ".json":
        table.to_json(buffer, orient="records", double_precision=15)
    else:
        table.to_parquet(buffer, index=False)
    return buffer.getvalue()
