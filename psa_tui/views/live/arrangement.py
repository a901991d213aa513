"""Which pictures of a run have room beside one another, and how many places of a grid each takes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

SMALL, MEDIUM, LARGE, HUGE = "small", "medium", "large", "huge"
_MEDIUM_FROM = (70, 20)
_LARGE_FROM = (116, 36)
_HUGE_FROM = (160, 55)
COLUMNS = 3
"""Of the grid."""
_WIDTHS = {"accuracy": 2, "map": 1, "loss": 1, "gap": 1, "log": 2, "effects": 1, "gains": 2, "layers": 1, "machine": 1}
"""The columns that the pictures take at least, in the order in which they take their places."""
_HEIGHTS = {
    **{"accuracy": 1.7, "map": 1.0, "loss": 0.9, "gap": 0.9},
    **{"log": 1.1, "effects": 1.0, "gains": 0.9, "layers": 0.9, "machine": 0.9},
}
"""Their lines, as parts; the highest of a row counts."""
_AT_FIRST = {
    SMALL: {"accuracy"},
    MEDIUM: {"accuracy", "map", "log"},
    LARGE: set(_WIDTHS) - {"gains", "layers", "machine"},
    HUGE: set(_WIDTHS),
}


@dataclass(frozen=True, slots=True)
class Arrangement:
    """The pictures that are shown, each with the columns and rows it spans, and the height of each row in parts."""

    spans: dict[str, tuple[int, int]]
    rows: tuple[float, ...]


def size_class(width: int, height: int) -> str:
    """Return what a screen of that size is called: ``SMALL``, ``MEDIUM``, ``LARGE`` or ``HUGE``."""
    for name, (least_width, least_height) in ((HUGE, _HUGE_FROM), (LARGE, _LARGE_FROM), (MEDIUM, _MEDIUM_FROM)):
        if width >= least_width and height >= least_height:
            return name
    return SMALL


def toggled(size: str, shown: Collection[str] | None, name: str) -> set[str]:
    """Return what is shown when ``name`` is shown or hidden; a small screen shows one picture, any at least one."""
    before = _AT_FIRST[size] if shown is None else set(shown)
    if size == SMALL:
        return {name}
    return before ^ {name} or before


def arrange(size: str, shown: Collection[str] | None) -> Arrangement:
    """Give the pictures ``shown``, or those a screen of class ``size`` shows at first, their places, row by row."""
    seen = _AT_FIRST[size] if shown is None else set(shown)
    names = [name for name in _WIDTHS if name in seen][: 1 if size == SMALL else None]
    spans: dict[str, tuple[int, int]] = {}
    rows: list[list[str]] = []
    below = [name for name in names if name in ("loss", "gap")]
    if size in (LARGE, HUGE) and below and seen >= {"accuracy", "map"}:
        # The map stands beside all charts.
        spans.update({"accuracy": (2, 1), "map": (1, 2), **dict.fromkeys(below, (2 // len(below), 1))})
        rows, names = [["accuracy"], below], [name for name in names if name not in spans]
    charts = len(rows)
    for name in names:
        width = COLUMNS if name == "accuracy" and size in (SMALL, MEDIUM) else _WIDTHS[name]
        if name == "gains" and "machine" in names:
            width = 1
        if len(rows) > charts and _taken(spans, rows[-1]) + width <= COLUMNS:
            rows[-1].append(name)
        else:
            rows.append([name])
        spans[name] = (width, 1)
    for row in rows[charts:]:
        width, height = spans[row[-1]]
        spans[row[-1]] = (width + COLUMNS - _taken(spans, row), height)
    return Arrangement(spans, tuple(max(_HEIGHTS[name] for name in row) for row in rows))


def _taken(spans: dict[str, tuple[int, int]], row: list[str]) -> int:
    """Return the columns that the pictures of ``row`` take."""
    return sum(spans[name][0] for name in row)
