"""Parallel coordinates: an axis for each setting that varies and one for the result, a line for each run or cell.

Inselberg (1985). The best lines are bright, those of the lower half dim, and the chosen one lies above all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rich.cells import cell_len
from rich.text import Text

from psa_tui.formatting import percent
from psa_tui.views.workbench.palette import DARK, Palette

Value = str | float
_LEAST_APART = 14
"""Columns between two axes, at least."""
_LABEL = 9
"""Columns of the last axis and its numbers."""
_LOG_FROM = 8.0
"""From this ratio of the greatest to the least on, an axis goes by octaves."""
_DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
RESULT = "best %"


@dataclass(frozen=True, slots=True)
class Record:
    """A run, or a cell of a study."""

    name: str
    values: dict[str, Value]
    """By the names of its axes."""
    result: float
    """A fraction."""


@dataclass(frozen=True, slots=True)
class Axis:
    """Where the values of one setting lie, from 0 (below) to 1."""

    name: str
    places: dict[Value, float]

    def ticks(self, rows: int) -> list[tuple[float, str]]:
        """Return as many of the values, with their places, as ``rows`` lines hold; the ends always."""
        found = sorted(self.places.items(), key=lambda one: one[1])
        if len(found) > rows:
            found = [found[0], found[-1]]
        return [(place, f"{value:.2f}" if self.name == RESULT else words(value)) for value, place in found]


def axes_of(records: Sequence[Record]) -> list[Axis]:
    """Return an axis for each setting that has more than one value, then that of the result."""
    axes = []
    for name in dict.fromkeys(name for record in records for name in record.values):
        values = list(dict.fromkeys(record.values.get(name, "-") for record in records))
        if len(values) > 1:
            axes.append(Axis(name, _places(values)))
    results = [round(100 * record.result, 2) for record in records]
    return [*axes, Axis(RESULT, _places(list(dict.fromkeys(results)), log_from=math.inf))]


def parallel_chart(records: Sequence[Record], chosen: int, width: int, height: int, palette: Palette = DARK) -> Text:
    """Draw ``records``, the best first, in ``width`` x ``height`` characters; number ``chosen`` lies above all."""
    if not records:
        return Text("nothing has a result yet", "dim")
    axes = axes_of(records)
    most = 1 + max((width - _LABEL) // _LEAST_APART, 1)
    left_out = axes[most - 1 : -1] if len(axes) > most else []
    axes = [axis for axis in axes if axis not in left_out]
    rows = height - 1 - bool(left_out)
    if rows < 3 or len(axes) < 2:
        return Text("no room for the axes" if len(axes) > 1 else "no setting differs: there is nothing to compare")
    # The last axis has room for its numbers behind it, and no more.
    room = (width - _LABEL) // (len(axes) - 1)
    columns = [number * room for number in range(len(axes))]
    codes, styles = _raster(records, axes, columns, chosen, rows, width)
    labels = [
        {round((1 - place) * (rows - 1)): _cut(label, room - 2) for place, label in axis.ticks(rows)} for axis in axes
    ]
    # Of the lower half, the upper half, the best tenth, and the chosen line.
    looks = palette.muted, palette.candidate, palette.promoted, f"bold {palette.lkg}"
    lines = []
    for row in range(rows):
        line = Text(no_wrap=True)
        for column, end, ticks in zip(columns, [*columns[1:], width], labels, strict=True):
            label = ticks.get(row, "")
            line.append("│", "dim").append(label, "bold")
            for place in range(column + 1 + cell_len(label), end):
                look = styles[row, place]
                line.append(chr(0x2800 + codes[row, place]) if look >= 0 else " ", looks[look] if look >= 0 else "")
        lines.append(line)
    head = Text("".join(f"{_cut(axis.name, room - 2):<{room}}" for axis in axes), "underline", no_wrap=True)
    more = [Text(f"no room for {', '.join(axis.name for axis in left_out)}", "dim")] if left_out else []
    return Text("\n", no_wrap=True).join([head, *lines, *more])


def described(records: Sequence[Record], chosen: int) -> str:
    """Say in one line which line is chosen, the best being the first, and where it lies on each axis."""
    record = records[chosen]
    named = [(axis.name, record.values.get(axis.name, "-")) for axis in axes_of(records)[:-1]]
    values = ", ".join(f"{name} {words(value)}" for name, value in named)
    return f"{chosen + 1} of {len(records)}: {percent(record.result)}  {record.name}  {values}"


def words(value: Value) -> str:
    """Return a value of an axis for people."""
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if value == int(value) else f"{value:.4g}"


def _places(values: Sequence[Value], log_from: float = _LOG_FROM) -> dict[Value, float]:
    """Return where values lie: words at even distances, numbers by size or, where they differ much, by octaves."""
    numbers = [value for value in values if not isinstance(value, str)]
    if len(numbers) < len(values) or len(values) == 1:
        last = max(len(values) - 1, 1)
        return {value: 1 - number / last for number, value in enumerate(values)}
    low, high = min(numbers), max(numbers)
    if low > 0 and high / low >= log_from:
        return {value: math.log(value / low) / math.log(high / low) for value in numbers}
    return {value: (value - low) / (high - low) for value in numbers}


def _raster(
    records: Sequence[Record], axes: Sequence[Axis], columns: Sequence[int], chosen: int, rows: int, width: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the dots of each character [rows, width], as in Unicode's braille, and the style of each, -1 for none."""
    codes, styles = np.zeros((rows, width), dtype=int), np.full((rows, width), -1)
    count = len(records)
    order = [number for number in reversed(range(count)) if number != chosen] + [chosen]
    for number in order:
        record = records[number]
        values = [*(record.values.get(axis.name, "-") for axis in axes[:-1]), round(100 * record.result, 2)]
        heights = [axis.places[value] for axis, value in zip(axes, values, strict=True)]
        y = [(1 - place) * (rows - 1) * 4 + 2 for place in heights]
        style = 3 if number == chosen else 2 if number < max(count // 10, 1) else 1 if number < count / 2 else 0
        for left, right, start, end in zip(columns, columns[1:], y, y[1:], strict=False):
            dots = max(2 * (right - left), int(abs(end - start))) + 1
            x_dots = np.linspace(2 * left, 2 * right, dots).round().astype(int)
            y_dots = np.linspace(start, end, dots).round().astype(int)
            np.bitwise_or.at(codes, (y_dots // 4, x_dots // 2), _DOTS[y_dots % 4, x_dots % 2])
            styles[y_dots // 4, x_dots // 2] = style
    return codes, styles


def _cut(text: str, room: int) -> str:
    """Return a label that fits, with a mark where it was cut."""
    return text if cell_len(text) <= room else text[: max(room - 1, 0)] + "…"
