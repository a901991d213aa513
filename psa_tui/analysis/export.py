"""Tables as files for other programs: CSV, Parquet and JSON."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from psa_tui.analysis.shapes import family_of, network_attr
from psa_tui.errors import ConfigError
from psa_tui.formatting import printable

if TYPE_CHECKING:
    from pandas import DataFrame

DATA_FORMATS = (".csv", ".parquet", ".json")


def check_data_format(path: Path) -> None:
    """Refuse, before any work, a file name that does not say how its table is to be written.

    Raises:
        ConfigError: its ending is none of ``DATA_FORMATS``.
    """
    if path.suffix not in DATA_FORMATS:
        found = printable(repr(path.suffix)) if path.suffix else "none"
        raise ConfigError(f"--out {path}: its ending is {found}, expected one of {', '.join(DATA_FORMATS)}")


def marked(table: DataFrame, whose: DataFrame) -> DataFrame:
    """Return ``table`` with the columns study, dataset and quick: what must not get lost on the way elsewhere.

    Also ``network``, where the family is not that of the published study.
    """
    attrs = whose.attrs
    about = {"study": attrs.get("study"), "dataset": attrs.get("dataset"), "quick": bool(attrs.get("quick"))}
    return table.assign(**about, **network_attr(family_of(whose)))


def data_bytes(table: DataFrame, suffix: str) -> bytes:
    """Return ``table`` as CSV, Parquet or JSON (one of ``DATA_FORMATS``)."""
    buffer = BytesIO()
    if suffix == ".csv":
        table.to_csv(buffer, index=False, lineterminator="\n")
    elif suffix == ".json":
        table.to_json(buffer, orient="records", double_precision=15)
    else:
        table.to_parquet(buffer, index=False)
    return buffer.getvalue()
