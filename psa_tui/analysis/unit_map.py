"""Where the units of a network stand on a map: layers across, their units down. Pure geometry."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

_GAP = 1
"""Columns between two layers."""


@dataclass(frozen=True)
class UnitMap:
    """A map of a network's units.

    The units of a layer stand below one another, and go on in a further column of marks where the rows do not suffice.
    Where there is no room for all, a mark stands for ``units_a_mark`` neighbours, in every layer alike. Where there are
    more layers than columns, neighbouring layers share one; the output layer keeps its own.
    """

    unit_counts: tuple[int, ...]
    """Units of each layer; the last layer is the output."""
    rows: int
    units_a_mark: int
    starts: tuple[int, ...]
    """The first column of each layer."""
    mark_width: int = 1
    """How many columns a mark has."""

    @classmethod
    def fitting(cls, unit_counts: Sequence[int], columns: int, rows: int, widest: int = 1) -> UnitMap:
        """Return the map of most detail in ``columns`` x ``rows``, which are at least 3 x 1.

        Where that leaves room, a mark has up to ``widest`` columns.
        """
        counts, hidden = tuple(unit_counts), len(unit_counts) - 1
        if 2 * hidden + 1 > columns:
            places = (columns - 1) // 2
            starts = [2 * (layer * places // hidden) for layer in range(hidden)]
            return cls(counts, rows, -(-max(counts) // rows), (*starts, 2 * places))
        least, most = 1, max(counts)
        while least < most:
            middle = (least + most) // 2
            if sum(_spans(counts, rows, middle)) + _GAP * hidden <= columns:
                most = middle
            else:
                least = middle + 1
        spans = _spans(counts, rows, least)
        width = min((columns - _GAP * hidden) // sum(spans), widest)
        starts = list(accumulate((width * span + _GAP for span in spans[:-1]), initial=0))
        return cls(counts, rows, least, tuple(starts), width)

    def knows(self, layer: int, unit: int) -> bool:
        """Whether the network has such a unit: a history may say anything."""
        return 0 <= layer < len(self.unit_counts) and 0 <= unit < self.unit_counts[layer]

    def position(self, layer: int, unit: int) -> tuple[int, int]:
        """Return the first column and the row of the mark that stands for a unit."""
        column, row = divmod(unit // self.units_a_mark, self.rows)
        return self.starts[layer] + column * self.mark_width, row

    def marked(self, column: int, row: int) -> tuple[range, range] | None:
        """Return the layers and units for which the mark at ``column`` and ``row`` stands; None where none is.

        A layer may have fewer units than that: none of those it lacks is meant.
        """
        place = bisect_right(self.starts, column) - 1
        if place < 0 or not 0 <= row < self.rows:
            return None
        start = self.starts[place]
        layers = range(self.starts.index(start), place + 1)
        first = ((column - start) // self.mark_width * self.rows + row) * self.units_a_mark
        units = range(first, min(first + self.units_a_mark, max(self.unit_counts[layer] for layer in layers)))
        return (layers, units) if units else None

    def nearest(self, column: int, row: int) -> tuple[range, range] | None:
        """Return what ``marked`` does of the mark nearest to a place on the map; None beside the map."""

        def distance(start: int) -> int:
            return max(start - column, column - (start + self.mark_width - 1), 0)

        start = min(self.heights, key=distance)
        if column < 0 or distance(start) > self.mark_width or not 0 <= row < max(self.heights.values()):
            return None
        return self.marked(start, min(row, self.heights[start] - 1))

    def units_at(self, column: int, row: int) -> int:
        """Return for how many units the mark there stands."""
        found = self.marked(column, row)
        if found is None:
            return 0
        layers, units = found
        return sum(max(min(self.unit_counts[layer], units.stop) - units.start, 0) for layer in layers)

    @cached_property
    def heights(self) -> dict[int, int]:
        """How many marks stand below one another, by the column in which they begin, from left to right."""
        marks: dict[int, int] = {}
        for start, count in zip(self.starts, self.unit_counts, strict=True):
            left = -(-count // self.units_a_mark)
            for column in range(start, start + self.mark_width * -(-left // self.rows), self.mark_width):
                marks[column] = max(marks.get(column, 0), min(left, self.rows))
                left -= self.rows
        return marks

    @property
    def shares_columns(self) -> bool:
        """Whether a mark may stand for units of several layers."""
        return len(set(self.starts)) < len(self.starts)

    def step(self, layer: int, unit: int, across: int, down: int) -> tuple[int, int]:
        """Return the first unit of the mark so many columns and rows away from a unit's, or of the last on the way."""
        column, row = self.position(layer, unit)
        columns = list(self.heights)
        place = min(max(columns.index(column) + across, 0), len(columns) - 1)
        row = min(max(row + down, 0), self.heights[columns[place]] - 1)
        found = self.marked(columns[place], row)
        assert found is not None
        layers, units = found
        return next(one for one in layers if self.unit_counts[one] > units.start), units.start


def _spans(counts: Sequence[int], rows: int, units_a_mark: int) -> list[int]:
    """Return how many columns each layer takes."""
    return [-(-count // (rows * units_a_mark)) for count in counts]
