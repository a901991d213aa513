"""The design space as a map: depth across, width down, both on log axes, one mark a shape."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

from rich.text import Text

from psa_tui.views.glyphs import Glyphs
from psa_tui.views.study.state import GroupState, GroupStatus, StudyState

_LABEL = 5
"""Columns of the width axis."""


def design_map(state: StudyState, width: int, height: int, glyphs: Glyphs) -> Text:
    """Draw the map in ``width`` x ``height`` characters, the last line being the depth axis.

    A shape whose position is taken stands at the nearest free one, so no mark hides another.
    """
    columns, rows = width - _LABEL, height - 1
    depths = tuple(max(group.depth, 1) for group in state.groups.values())
    widths = tuple(max(group.width, 1) for group in state.groups.values())
    taken = dict(zip(_positions(depths, widths, rows, columns), state.groups, strict=False))
    text = Text(no_wrap=True)
    marks = _ticks(widths, rows)
    for row in range(rows):
        text.append(f"{marks.get(row, ''):>{_LABEL - 1}} ", "dim")
        for column in range(columns):
            name = taken.get((row, column), "")
            text.append(*(mark(state.groups[name], state.status(name), glyphs) if name else (" ", "")))
        text.append("\n")
    text.append(_depth_axis(depths, columns), "dim")
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
    """Explain the marks, in at most ``width`` characters from 45 on."""
    marks = f"{glyphs.waiting} waiting {glyphs.running} running {glyphs.begun} begun {glyphs.failed} failed "
    long = f"{marks} 0-9: best mean in tens of percent"
    return long if len(long) <= width else f"{marks}9=90 %"


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
        row, column = _position(width, widths, rows), _position(depth, depths, columns)
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
    """Return the labels of the width axis by row, one a row."""
    labels: dict[int, str] = {}
    for power in _powers(values):
        labels.setdefault(_position(power, values, rows), str(power))
    return labels


def _depth_axis(depths: Sequence[float], columns: int) -> str:
    """Write the labels of the depth axis, leaving out those that would touch the one before."""
    line = ""
    for power in _powers(depths):
        start = _LABEL + min(_position(power, depths, columns), columns - len(str(power)))
        if start > len(line):
            line = line.ljust(start) + str(power)
    return line
