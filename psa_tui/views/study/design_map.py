"""The design space as a map: depth upwards, width to the right as in the figures, on log axes, one mark a shape."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

from rich.text import Text

from psa_tui.formatting import first_fitting
from psa_tui.views.glyphs import Glyphs
from psa_tui.views.study.state import GroupState, GroupStatus, StudyState

_LABEL = 5
"""Columns of the depth axis."""


def design_map(state: StudyState, width: int, height: int, glyphs: Glyphs) -> Text:
    """Draw the map in ``width`` x ``height`` characters, the last line being the width axis.

    A shape whose position is taken stands at the nearest free one, so no mark hides another.
    """
    columns, rows = width - _LABEL, height - 1
    depths = tuple(max(group.depth, 1) for group in state.groups.values())
    widths = tuple(max(group.width, 1) for group in state.groups.values())
    taken = dict(zip(_positions(depths, widths, rows, columns), state.groups, strict=False))
    text = Text(no_wrap=True)
    marks = _ticks(depths, rows)
    for row in range(rows):
        text.append(f"{marks.get(row, ''):>{_LABEL - 1}} ", "dim")
        for column in range(columns):
            name = taken.get((row, column), "")
            text.append(*(mark(state.groups[name], state.status(name), glyphs) if name else (" ", "")))
        text.append("\n")
    text.append(_width_axis(widths, columns), "dim")
    return text


def mark(group: GroupState, status: GroupStatus, glyphs: Glyphs) -> tuple[str, str]:
    """Return a shape's character and style; one that is done shows its best mean in tens of percent."""
    if status is GroupStatus.DONE:
        if group.best_mean is None:
            return "-", ""
        tens = min(int(group.best_mean * 10), 9)
        return str(tens), "red" if tens < 2 else "bold green" if tens == 9 else ""
    return {
        GroupStatus.WAITING: (glyphs.waiting, "dim"),
        GroupStatus.RUNNING: (glyphs.running, "bold reverse"),
        GroupStatus.BEGUN: (glyphs.begun, ""),
        GroupStatus.FAILED: (glyphs.failed, "bold red"),
    }[status]


def legend(width: int, glyphs: Glyphs) -> str:
    """Explain the marks, or where there is no room the most needed of them, in at most ``width`` characters."""
    marks = f"{glyphs.waiting} waiting {glyphs.running} running {glyphs.begun} begun {glyphs.failed} failed "
    short = f"{glyphs.running} running {glyphs.failed} failed"
    return first_fitting(
        width, f"{marks} 0-9: best mean in tens of percent", f"{marks}9=90 %", f"{short} 9=90 %", short
    )


def _position(value: float, values: Sequence[float], room: int) -> int:
    """Return where ``value`` is on a log axis of ``room`` characters from the least to the greatest of ``values``."""
    low, high = math.log(min(values)), math.log(max(values))
    return 0 if high == low else round((math.log(value) - low) / (high - low) * (room - 1))


@lru_cache(maxsize=4)
def _positions(
    depths: tuple[float, ...], widths: tuple[float, ...], rows: int, columns: int
) -> tuple[tuple[int, int], ...]:
    """Return row and column of each shape, as many as there are positions."""
    free = {(row, column) for row in range(rows) for column in range(columns)}
    positions = []
    for depth, width in list(zip(depths, widths, strict=True))[: len(free)]:
        row, column = rows - 1 - _position(depth, depths, rows), _position(width, widths, columns)
        position = (row, column)
        if position not in free:
            # A character is about twice as high as wide.
            position = min(free, key=lambda at: (4 * (at[0] - row) ** 2 + (at[1] - column) ** 2, at))
        free.remove(position)
        positions.append(position)
    return tuple(positions)


def _powers(values: Sequence[float]) -> list[int]:
    """Return the powers of two within the range of ``values``, or its lower end where there is none."""
    low, high = min(values), max(values)
    return [2**n for n in range(int(high).bit_length()) if 2**n >= low] or [round(low)]


def _ticks(values: Sequence[float], rows: int) -> dict[int, str]:
    """Return the labels of the depth axis by row, one a row; the least is below."""
    labels: dict[int, str] = {}
    for power in _powers(values):
        labels.setdefault(rows - 1 - _position(power, values, rows), str(power))
    return labels


def _width_axis(widths: Sequence[float], columns: int) -> str:
    """Write the labels of the width axis, leaving out those that would touch the one before."""
    line = ""
    for power in _powers(widths):
        start = _LABEL + min(_position(power, widths, columns), columns - len(str(power)))
        if start > len(line):
            line = line.ljust(start) + str(power)
    return line
