"""Curves in braille dots (or in ASCII), drawn by uniplot: the one place where a screen's charts are made."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter

import numpy as np
from rich.text import Text

from psa_tui.views.axis_labels import x_labels, y_labels

_hidden = sys.modules.get("numba")
# Where uniplot finds Numba it compiles what draws its lines, which takes a second for lines that take a millisecond.
sys.modules["numba"] = None  # type: ignore[assignment]
try:
    from uniplot import plot_to_string
finally:
    if _hidden is None:
        del sys.modules["numba"]
    else:
        sys.modules["numba"] = _hidden

LABEL_WIDTH = 7
"""Columns at the right of a plot, for the labels of its y axis."""
_AXES = 2
"""Lines below a plot: its lower edge and the labels of its x axis."""
_AXIS = "dim"
_CURSOR = "reverse"
_PART = re.compile(r"\x1b\[38;2;(\d+);0;0m([^\x1b]+)\x1b\[0m|([^\x1b]+)")
"""Characters of a series, or of the axes."""
_TO_ASCII = str.maketrans({"│": "|", "─": "-", "┌": "+", "┐": "+", "└": "+", "┘": "+", "┤": "|"})


@dataclass(frozen=True, slots=True)
class Series:
    """Points of one meaning: x [N] and y [N], as dots or, with ``line``, joined."""

    x: np.ndarray
    y: np.ndarray
    style: str
    """A Rich style: "dim", "bold green"."""
    glyph: str
    """The character that stands for it in ASCII."""
    line: bool = False


@dataclass(slots=True)
class Plot:
    """A drawn plot: its lines, on which single characters may be put."""

    columns: int
    rows: int
    x_range: tuple[float, float]
    y_range: tuple[float, float]
    lines: list[Text] = field(default_factory=list)
    dots: tuple[int, int] = (2, 4)
    """Places of a point across and down a character: those of braille, or one."""

    def cell(self, x: float, y: float) -> tuple[int, int] | None:
        """Return the column and row of a point; None where it is outside."""
        (left, right), (low, high) = self.x_range, self.y_range
        if not (left <= x <= right and low <= y <= high):
            return None
        highest = self.dots[1] * self.rows - 1
        return self.column(x), (highest - round(highest * (y - low) / (high - low))) // self.dots[1]

    def column(self, x: float) -> int:
        """Return the column of ``x``, the nearest one where it is outside."""
        left, right = self.x_range
        across = self.dots[0]
        return round((across * self.columns - 1) * min(max((x - left) / (right - left), 0.0), 1.0)) // across

    def put(self, column: int, row: int, glyph: str, style: str, *, over: bool = True) -> None:
        """Replace one character of the plot; without ``over`` only where nothing is drawn."""
        line = self.lines[row]
        place = column + 1
        if over or line.plain[place] == " ":
            self.lines[row] = line[:place] + Text(glyph, style) + line[place + 1 :]

    def draw_cursor(self, x: float | None) -> None:
        """Mark the column of ``x`` from top to bottom, if there is one."""
        if x is None:
            return
        column = self.column(x) + 1
        for line in self.lines[: self.rows]:
            line.stylize(_CURSOR, column, column + 1)

    @property
    def text(self) -> Text:
        """The whole plot, axes included."""
        whole = Text("\n", no_wrap=True).join(self.lines)
        whole.no_wrap = True
        return whole


def plot(
    series: Sequence[Series],
    width: int,
    height: int,
    x_range: tuple[float, float],
    y_range: tuple[float, float],
    *,
    y_unit: str = "",
    ascii_only: bool = False,
) -> Plot | None:
    """Draw ``series``, the later above the earlier, in ``width`` x ``height`` characters, axes included.

    Args:
        series: where it is not finite, nothing is drawn.
        width: in characters.
        height: in lines.
        x_range: left and right end of what is shown.
        y_range: lower and upper end of what is shown.
        y_unit: what stands behind the labels of the y axis: " %".
        ascii_only: whether a character stands for a point, instead of a dot.

    Returns:
        The plot, or None where there is no room for one (20 columns and 3 rows).
    """
    columns, rows = width - LABEL_WIDTH - 2, height - _AXES
    if columns < 20 or rows < 3:
        return None
    # uniplot wants a finite point in each series; one outside is not seen.
    outside = Series(np.array([x_range[0]]), np.array([2 * y_range[0] - y_range[1] - 1.0]), "", " ")
    shown = [one for one in series if np.any(np.isfinite(one.x) & np.isfinite(one.y))] or [outside]
    picture = plot_to_string(
        [one.y for one in shown],
        xs=[one.x for one in shown],
        lines=[one.line for one in shown],
        character_set="ascii" if ascii_only else "braille",
        force_ascii_characters=[one.glyph for one in shown],
        # The number of a series, told as a colour, comes back from the picture as the place of its style.
        color=[(number, 0, 0) for number in range(len(shown))],
        width=columns,
        height=rows,
        x_min=x_range[0],
        x_max=x_range[1],
        y_min=y_range[0],
        y_max=y_range[1],
        x_gridlines=[],
        y_gridlines=[],
    )
    drawn = Plot(columns, rows, x_range, y_range, dots=(1, 1) if ascii_only else (2, 4))
    for row, line in enumerate(picture.split("\n")[1 : rows + _AXES]):
        text = _styled(line.translate(_TO_ASCII) if ascii_only else line, shown)
        # The labels of uniplot are rounded until no two are alike, so 97.5 may stand there as 98.
        text.truncate(columns + 2)
        text.stylize(_AXIS, 0, 1 if row < rows else len(text))
        text.stylize(_AXIS, columns + 1)
        drawn.lines.append(text)
    for value, label in y_labels(*y_range, rows, LABEL_WIDTH - 1, y_unit).items():
        if (cell := drawn.cell(x_range[0], value)) is not None:
            drawn.lines[cell[1]].append(f" {label}", _AXIS)
    drawn.lines.append(_x_axis(drawn, width))
    return drawn


def _x_axis(drawn: Plot, width: int) -> Text:
    """Write the labels of the x axis, each in the midst below its column if the line has room for that."""
    line = ""
    for value, label in x_labels(*drawn.x_range, drawn.columns).items():
        start = min(max(drawn.column(value) + 1 - len(label) // 2, 0), width - len(label))
        if start > len(line) or not line:
            line = f"{line:<{start}}{label}"
    return Text(line, _AXIS, no_wrap=True)


def _styled(line: str, series: Sequence[Series]) -> Text:
    """Return ``line`` with each character in the style of its series, which the red of its colour tells."""
    text = Text(no_wrap=True)
    parts = ((found[1], found[2] or found[3]) for found in _PART.finditer(line))
    for number, stretch in groupby(parts, key=itemgetter(0)):
        text.append("".join(part for _, part in stretch), None if number is None else series[int(number)].style)
    return text
