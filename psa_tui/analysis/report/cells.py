"""What the page's tables are made of: cells with a text and a number to sort by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from psa_tui.analysis.shapes import count_text
from psa_tui.analysis.text_tables import probability
from psa_tui.formatting import points

NOTHING = "–"
"""What stands where nothing is known."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: its text, and the number it is sorted by (None sorts by the text, or last in a column of numbers)."""

    text: str
    number: float | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A table with its caption; ``numeric`` says of each column whether it has numbers."""

    name: str
    title: str
    caption: str
    columns: tuple[str, ...]
    numeric: tuple[bool, ...]
    rows: list[list[Cell]]


def shape_cell(row: Any) -> Cell:
    """Return the cell of a shape, sorted by depth and width where they are known."""
    place = row.depth * 1e6 + row.width
    return Cell(row.architecture, None if place != place else float(place))


def parameters_cell(count: float) -> Cell:
    """Return a number of parameters."""
    return Cell(NOTHING) if count != count else Cell(count_text(count), float(count))


def number_cell(value: Any, form: str) -> Cell:
    """Return a number in the format ``form``."""
    return Cell(NOTHING) if value != value else Cell(format(value, form), float(value))


def percent_cell(fraction: float) -> Cell:
    """Return a fraction as a percentage."""
    return number_cell(100 * fraction, ".2f")


def difference_cell(fraction: float) -> Cell:
    """Return a difference in points."""
    return Cell(NOTHING) if fraction != fraction else Cell(points(fraction + 0.0), float(fraction))


def interval_cell(low: float, high: float) -> Cell:
    """Return an interval in points, sorted by its lower end."""
    return Cell(NOTHING) if low != low else Cell(f"{points(low)} to {points(high)}", float(low))


def probability_cell(value: float) -> Cell:
    """Return a p-value."""
    return Cell(NOTHING) if value != value else Cell(probability(value), float(value))
