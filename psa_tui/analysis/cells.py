"""The cells of CSV and Parquet files as text: files from outside, so each is bounded before it is read."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from psa_tui.errors import DataError
from psa_tui.formatting import printable
from psa_tui.outside import open_outside, outside_text

if TYPE_CHECKING:
    from pandas import DataFrame

MOST_ROWS = 2_000_000
"""Three times the meta-loops of the whole published study (588,000); their cells fit the memory of a laptop."""
_MOST_BYTES = 2**30
"""Of a file: 500 for each of so many rows."""
_MOST_LINE = 2**20
_MOST_COLUMNS = 1000
_MOST_CELL = 10_000
_DAMAGE = (ValueError, TypeError, ArithmeticError, LookupError, csv.Error)
"""Complaints about what a file holds; pyarrow's are ValueErrors."""


def read_cells(path: Path, columns: Collection[str]) -> DataFrame:
    """Read those of ``columns`` that a file has, cell by cell as text, None where empty.

    The index has the number of each row of a Parquet file, of each line of a CSV file.

    Raises:
        DataError: the file cannot be read, is no table, or is larger than any that this program writes.
    """
    try:
        with open_outside(path) as file:
            if (size := file.seek(0, io.SEEK_END)) > _MOST_BYTES:
                raise ValueError(f"it has {size:,} bytes, at most {_MOST_BYTES:,} are read")
            file.seek(0)
            return (_parquet if path.suffix == ".parquet" else _csv)(file, columns)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from None
    except (
        ValueError,
        TypeError,
        ArithmeticError,
        LookupError,
        csv.Error,
    ) as error:  # pyarrow's complaints are ValueErrors
        reason = printable(" ".join(str(error).split()))[:120]
        raise DataError(f"{path}: not a {path.suffix} table ({reason}); psa results export writes one") from None


def _csv(file: BinaryIO, columns: Collection[str]) -> DataFrame:
    """Read by Python's reader: unlike pandas' it never guesses what a row too long or too short means."""
    import pandas as pd

    reader = csv.reader(_lines(file), strict=True)
    header = [outside_text(name.strip()) for name in next(reader, [])]
    _check_header(header)
    wanted = [place for place, name in enumerate(header) if name in columns]
    lines: list[int] = []
    rows: list[list[str | None]] = []
    known: dict[str, str | None] = {}
    for row in reader:
        if not row:
            continue
        if len(row) != len(header):
            raise ValueError(f"line {reader.line_num} has {len(row)} cells, the header {len(header)}")
        if len(rows) == MOST_ROWS:
            raise ValueError(f"it has more than {MOST_ROWS:,} rows")
        lines.append(reader.line_num)
        rows.append([_cell(row[place], known) for place in wanted])
    return pd.DataFrame(rows, columns=[header[place] for place in wanted], index=lines, dtype="object")


def _lines(file: BinaryIO) -> Iterator[str]:
    """Go through the lines of UTF-8 text; one that never ends is not read to its end."""
    encoding = "utf-8-sig"
    while line := file.readline(_MOST_LINE):
        if len(line) == _MOST_LINE:
            raise ValueError(f"a line has more than {_MOST_LINE:,} bytes")
        yield line.decode(encoding)
        encoding = "utf-8"


def _parquet(file: BinaryIO, columns: Collection[str]) -> DataFrame:
    import pandas as pd
    import pyarrow.parquet as parquet

    about = parquet.read_metadata(file)
    if about.num_rows > MOST_ROWS:
        raise ValueError(f"it has {about.num_rows:,} rows, at most {MOST_ROWS:,} are read")
    names = about.schema.to_arrow_schema().names
    _check_header([outside_text(name) for name in names])
    wanted = [name for name in names if name in columns]
    file.seek(0)
    # Of texts that repeat, each is unpacked once: a small file could hold any number of a long one.
    table = parquet.ParquetFile(file, read_dictionary=wanted).read(columns=wanted)
    known: dict[str, str | None] = {}
    found = {name: [_cell(value, known) for value in table[name].to_pylist()] for name in table.column_names}
    return pd.DataFrame(found, index=range(1, table.num_rows + 1), dtype="object")


def _check_header(names: list[str]) -> None:
    if not names:
        raise ValueError("it is empty")
    if len(names) > _MOST_COLUMNS:
        raise ValueError(f"it has {len(names):,} columns")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"the column {twice[0]!r} is there twice")


def _cell(value: Any, known: dict[str, str | None]) -> str | None:
    """Return a cell as text, None where it is empty; equal texts are one object in ``known``."""
    if value is None or value != value:
        return None
    text = str(value)
    if len(text) > _MOST_CELL:
        raise ValueError(f"a cell has {len(text):,} characters, at most {_MOST_CELL:,} are read")
    if text not in known:
        known[text] = outside_text(text.strip()) or None
    return known[text]
