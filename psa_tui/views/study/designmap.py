"""The design space as a map: depth across, width down, both on log axes, one mark a shape."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

from rich.text import Text

from psa_tui.studies.grids import Shape
from psa_tui.views.study.glyphs import StudyGlyphs
from psa_tui.views.study.state import Cell, Standing, StudyState

_LABEL = 5
"""Columns of the width axis."""


def design_map(state: StudyState, width: int, height: int, glyphs: StudyGlyphs) -> Text:
    """The map in ``width`` x ``height`` characters, the last line being the depth axis.

    A shape whose place is taken stands at the nearest free one, so no mark hides another.
    """
    shapes = tuple(cell.shape for cell in state.cells.values())
    columns, rows = width - _LABEL, height - 1
    depths, widths = [shape.depth for shape in shapes], [shape.width for shape in shapes]
    taken = dict(zip(_places(shapes, rows, columns), state.cells, strict=False))
    text = Text(no_wrap=True)
    marks = _ticks(widths, rows)
    for row in range(rows):
        text.append(f"{marks.get(row, ''):>{_LABEL - 1}} ", "dim")
        for column in range(columns):
            name = taken.get((row, column), "")
            text.append(*(mark(state.cells[name], state.standing(name), glyphs) if name else (" ", "")))
        text.append("\n")
    text.append(_depth_axis(depths, columns), "dim")
    return text


def mark(cell: Cell, standing: Standing, glyphs: StudyGlyphs) -> tuple[str, str]:
    """A shape's character and style; a shape that is done shows its best mean in tens of percent."""
    if standing is Standing.DONE:
        if cell.best_mean is None:
            return "-", ""
        tens = min(int(cell.best_mean * 10), 9)
        return str(tens), "red" if tens < 2 else "bold green" if tens == 9 else ""
    return {
        Standing.WAITING: (glyphs.waiting, "dim"),
        Standing.RUNNING: (glyphs.running, "bold reverse"),
        Standing.BEGUN: (glyphs.begun, ""),
        Standing.FAILED: (glyphs.failed, "bold red"),
    }[standing]


def legend(width: int, glyphs: StudyGlyphs) -> str:
    """What the marks mean, in at most ``width`` characters from 45 on."""
    marks = f"{glyphs.waiting} waiting {glyphs.running} running {glyphs.begun} begun {glyphs.failed} failed "
    long = f"{marks} 0-9: best mean in tens of percent"
    return long if len(long) <= width else f"{marks}9=90 %"


def _position(value: int, values: Sequence[int], room: int) -> int:
    """Where ``value`` is on a log axis of ``room`` characters from the least to the greatest of ``values``."""
    low, high = math.log(min(values)), math.log(max(values))
    return 0 if high == low else round((math.log(value) - low) / (high - low) * (room - 1))


@lru_cache(maxsize=4)
def _places(shapes: tuple[Shape, ...], rows: int, columns: int) -> tuple[tuple[int, int], ...]:
    """The row and column of each of ``shapes``, as many as there are places."""
    depths, widths = [shape.depth for shape in shapes], [shape.width for shape in shapes]
    free = {(row, column) for row in range(rows) for column in range(columns)}
    places = []
    for shape in shapes[: len(free)]:
        row, column = _position(shape.width, widths, rows), _position(shape.depth, depths, columns)
        place = (row, column)
        if place not in free:
            # A character is about twice as high as wide.
            place = min(free, key=lambda at: (4 * (at[0] - row) ** 2 + (at[1] - column) ** 2, at))
        free.remove(place)
        places.append(place)
    return tuple(places)


def _powers(values: Sequence[int]) -> list[int]:
    """The powers of two within the range of ``values``, or its beginning where there is none."""
    low, high = min(values), max(values)
    return [2**n for n in range(high.bit_length()) if 2**n >= low] or [low]


def _ticks(values: Sequence[int], rows: int) -> dict[int, str]:
    """Labels of the width axis by row, one a row."""
    labels: dict[int, str] = {}
    for power in _powers(values):
        labels.setdefault(_position(power, values, rows), str(power))
    return labels


def _depth_axis(depths: Sequence[int], columns: int) -> str:
    """The labels of the depth axis, leaving out those that would touch the one before."""
    line = ""
    for power in _powers(depths):
        start = _LABEL + min(_position(power, depths, columns), columns - len(str(power)))
        if start > len(line):
            line = line.ljust(start) + str(power)
    return line
