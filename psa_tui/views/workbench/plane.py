"""Where shapes stand on the map: width to the right, depth upwards, both by octaves, as in the figures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

_BLOCKS = sorted(
    ((wide, high) for wide in range(4, 17) for high in range(1, 7) if 1.5 <= wide / high <= 8),
    key=math.prod,
    reverse=True,
)
"""Sizes of a shape's block, columns and rows, the largest first."""
_LEAST = (4, 1), (3, 1), (2, 1)
"""Sizes for maps on which blocks would cover one another: then they move apart."""


@dataclass(frozen=True, slots=True)
class Placement:
    """The map's layout; columns and rows count from the upper left corner."""

    block: tuple[int, int]
    spots: dict[str, tuple[int, int]]
    """The upper left corner of each shape's block."""
    x_ticks: tuple[tuple[int, str], ...]
    """Columns of widths that are powers of two, with their labels."""
    y_ticks: tuple[tuple[int, str], ...]
    """Rows of depths that are powers of two, with their labels."""

    def at(self, column: int, row: int) -> str | None:
        """Return the shape whose block covers a character."""
        wide, high = self.block
        for name, (left, top) in self.spots.items():
            if left <= column < left + wide and top <= row < top + high:
                return name
        return None

    def neighbour(self, name: str, right: int, down: int) -> str:
        """Return the nearest shape in a direction; ``name`` itself where there is none."""
        column, row = self.spots[name]

        def distance(other: str) -> float:
            across, upwards = self.spots[other][0] - column, 2 * (self.spots[other][1] - row)
            along = across * right + upwards * down
            aside = across * down + upwards * right
            return along + 3 * abs(aside) if along > 0 else math.inf

        nearest = min(self.spots, key=distance)
        return nearest if distance(nearest) < math.inf else name


@lru_cache(maxsize=16)
def place(shapes: tuple[tuple[str, int, float], ...], columns: int, rows: int) -> Placement:
    """Return the layout of shapes, (name, depth, width) each, in ``columns`` x ``rows`` characters.

    Blocks are as large as leaves all their true places; where even small ones would cover one another, those that
    come later stand at the nearest place that is free.
    """
    x, y = _scale([width for _, _, width in shapes]), _scale([depth for _, depth, _ in shapes])
    for wide, high in _BLOCKS:
        spots = _true_spots(shapes, x, y, columns, rows, wide, high)
        if spots is not None:
            return _placement(spots, shapes, x, y, columns, rows, (wide, high))
    for wide, high in _LEAST:
        if (columns // wide) * (rows // high) >= len(shapes):
            return _placement(
                _moved_spots(shapes, x, y, columns, rows, wide), shapes, x, y, columns, rows, (wide, high)
            )
    wide, high = _LEAST[-1]
    some = shapes[: (columns // wide) * rows]
    return _placement(_moved_spots(some, x, y, columns, rows, wide), shapes, x, y, columns, rows, (wide, high))


@dataclass(frozen=True, slots=True)
class _Scale:
    low: float
    span: float

    def __call__(self, value: float) -> float:
        """Return where a value is, from 0 to 1."""
        return (math.log2(max(value, 1.0)) - self.low) / self.span if self.span else 0.5


def _scale(values: Sequence[float]) -> _Scale:
    logs = [math.log2(max(value, 1.0)) for value in values] or [0.0]
    return _Scale(min(logs), max(logs) - min(logs))


def _spot(x: float, y: float, columns: int, rows: int, wide: int, high: int) -> tuple[int, int]:
    return round(x * (columns - wide)), round((1 - y) * (rows - high))


def _true_spots(
    shapes: Sequence[tuple[str, int, float]], x: _Scale, y: _Scale, columns: int, rows: int, wide: int, high: int
) -> dict[str, tuple[int, int]] | None:
    """Return the spots if no two blocks share a character, or touch sideways."""
    if columns < wide or rows < high:
        return None
    spots: dict[str, tuple[int, int]] = {}
    taken: set[tuple[int, int]] = set()
    for name, depth, width in shapes:
        left, top = _spot(x(width), y(depth), columns, rows, wide, high)
        covered = {(left + column, top + row) for column in range(wide + 1) for row in range(high)}
        if covered & taken:
            return None
        taken |= covered
        spots[name] = left, top
    return spots


def _moved_spots(
    shapes: Sequence[tuple[str, int, float]], x: _Scale, y: _Scale, columns: int, rows: int, wide: int
) -> dict[str, tuple[int, int]]:
    free = {(column, row) for column in range(columns // wide) for row in range(rows)}
    spots = {}
    for name, depth, width in shapes:
        left, top = _spot(x(width), y(depth), columns, rows, wide, 1)
        spot = min(free, key=lambda at: ((wide * at[0] - left) ** 2 + 4 * (at[1] - top) ** 2, at))
        free.remove(spot)
        spots[name] = wide * spot[0], spot[1]
    return spots


def _placement(
    spots: dict[str, tuple[int, int]],
    shapes: Sequence[tuple[str, int, float]],
    x: _Scale,
    y: _Scale,
    columns: int,
    rows: int,
    block: tuple[int, int],
) -> Placement:
    wide, high = block
    x_ticks: list[tuple[int, str]] = []
    end = -1
    for power in _powers([width for _, _, width in shapes]):
        label = str(power)
        left = _spot(x(power), 0.0, columns, rows, wide, high)[0] + (wide - len(label)) // 2
        left = min(max(left, 0), columns - len(label))
        if left > end:
            x_ticks.append((left, label))
            end = left + len(label)
    y_ticks: dict[int, str] = {}
    depths = {depth for _, depth, _ in shapes}
    # Where two would stand in one row, it is that of a shape.
    for power in sorted(_powers(list(depths)), key=lambda power: power not in depths):
        y_ticks.setdefault(_spot(0.0, y(power), columns, rows, wide, high)[1] + (high - 1) // 2, str(power))
    return Placement(block, spots, tuple(x_ticks), tuple(sorted(y_ticks.items())))


def _powers(values: Sequence[float]) -> list[int]:
    """Return the powers of two within the range of the values, or its lower end where there is none."""
    low, high = min(values, default=1), max(values, default=1)
    return [2**n for n in range(int(high).bit_length()) if 2**n >= low] or [round(low)]
