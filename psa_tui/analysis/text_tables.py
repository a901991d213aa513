"""Findings as text for a screen: paragraphs are strings, tables are ``TextTable``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from psa_tui.analysis.shapes import PUBLISHED_DATASET
from psa_tui.analysis.summary import NOT_A_REPRODUCTION

if TYPE_CHECKING:
    from pandas import DataFrame

NO_NUMBER = "-"


@dataclass(frozen=True, slots=True)
class TextTable:
    """A plain table whose first ``words`` columns are words and all others numbers."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: int = 1
    about: str = ""
    """What its caption says first where the table stands apart from the text before it."""


Text = str | TextTable


def percentage(fraction: float, form: str = ".2f") -> str:
    """Return a fraction as a percentage without its sign; a dash for what could not be computed."""
    return NO_NUMBER if fraction != fraction else format(round(100 * fraction, 2) + 0.0, form)


def number(value: float, form: str) -> str:
    """Return a number; a dash for what could not be computed."""
    return NO_NUMBER if value != value else format(value, form)


def probability(value: float) -> str:
    """Return a p-value with three decimals, "<.001" when it is smaller; a dash for what could not be computed."""
    return "<.001" if value < 0.001 else number(value, ".3f")


def marks(table: DataFrame) -> str:
    """Mark numbers of a quick study, or of other data than full MNIST; nothing for all others."""
    quick = f" ({NOT_A_REPRODUCTION})" if table.attrs.get("quick") else ""
    dataset = table.attrs.get("dataset")
    return quick + ("" if dataset in (None, PUBLISHED_DATASET) else f" ({dataset}, not full MNIST)")


def about(table: DataFrame) -> str:
    """Say whose numbers follow: "study mine, local", "the published study"."""
    source, study = table.attrs["source"], table.attrs["study"]
    return f"the {study} study" if source == study else f"study {study}, {source}{marks(table)}"
