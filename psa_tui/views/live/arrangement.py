"""Which pictures of a run have room beside one another, and how many places of a grid each takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

SMALL, MEDIUM, LARGE, HUGE = "small", "medium", "large", "huge"
FRAMED = (LARGE, HUGE)
"""The screens whose pictures have frames; on the others each has a rule above it."""
_MEDIUM_FROM = (70, 20)
_LARGE_FROM = (116, 36)
_HUGE_FROM = (160, 55)
OTHER_LINES = {SMALL: 4, MEDIUM: 7, LARGE: 10, HUGE: 10}
"""Lines of a screen that are neither pictures nor warnings."""
COLUMNS = 6
"""Of the grid."""
_WIDTHS = {"accuracy": 4, "map": 2, "loss": 2, "gap": 2, "log": 4, "effects": 2, "gains": 4, "layers": 2, "machine": 2}
"""The columns that the pictures take at least, in the order in which they take their places."""
_HEIGHTS = {
    **{"accuracy": 1.7, "map": 1.0, "loss": 0.9, "gap": 0.9},
    **{"log": 1.1, "effects": 1.0, "gains": 0.9, "layers": 0.9, "machine": 0.9},
}
"""Their lines, as parts; the highest of a row counts."""
LEAST = {
    **{"accuracy": (29, 6), "map": (18, 4), "loss": (29, 5), "gap": (29, 5)},
    **{"log": (24, 2), "effects": (20, 4), "gains": (25, 5), "layers": (24, 4), "machine": (20, 4)},
}
"""The characters and lines inside of each below which it shows nothing, or next to nothing."""
_AT_FIRST = {
    SMALL: ("accuracy",),
    MEDIUM: ("accuracy", "map", "log"),
    LARGE: ("accuracy", "map", "loss", "gap", "log", "effects"),
    HUGE: tuple(_WIDTHS),
}
Size = tuple[int, int]
"""Columns and lines."""


@dataclass(frozen=True, slots=True)
class Arrangement:
    """The pictures that are shown, each with the columns and rows it spans, and the lines of each row."""

    spans: dict[str, tuple[int, int]]
    lines: tuple[int, ...]


def size_class(width: int, height: int) -> str:
    """Return what a screen of that size is called: ``SMALL``, ``MEDIUM``, ``LARGE`` or ``HUGE``."""
    for name, (least_width, least_height) in ((HUGE, _HUGE_FROM), (LARGE, _LARGE_FROM), (MEDIUM, _MEDIUM_FROM)):
        if width >= least_width and height >= least_height:
            return name
    return SMALL


def least_lines(size: str) -> int:
    """Return the lines that the chart of accuracies takes at least, with its frame or rule."""
    return LEAST["accuracy"][1] + _around(size)[1]


def at_first(size: str, *, read_only: bool) -> tuple[str, ...]:
    """Return the pictures that a screen of class ``size`` shows while nobody has chosen others, accuracies last."""
    # What another process takes of the machine is not known.
    return tuple(name for name in reversed(_AT_FIRST[size]) if not (read_only and name == "machine"))


def toggled(size: str, seen: Sequence[str], name: str) -> tuple[str, ...]:
    """Return what is shown when ``name`` is shown or hidden beside what is ``seen``, the newest last.

    A small screen shows one picture, any at least one.
    """
    if size == SMALL:
        return (name,)
    others = tuple(one for one in seen if one != name)
    return (others or (name,)) if name in seen else (*others, name)


def arrange(size: str, shown: Sequence[str], room: Size, share: float = 1.0) -> Arrangement:
    """Give the pictures ``shown`` their places, row by row, in ``room``.

    Those for which there is none are left out: the one that was chosen last comes first, then that of accuracies, then
    the others, the newest before the older.

    Args:
        size: the class of the screen.
        shown: the pictures, the one that was chosen last at the end.
        room: columns and lines for all of them.
        share: how much of its usual part of the lines the first row takes.
    """
    if size == SMALL:
        shown = [name for name in _WIDTHS if name in shown][:1]
    # Sorting keeps the order of all others.
    newest, *others = reversed(shown)
    others.sort(key=lambda name: name != "accuracy")
    names: list[str] = []
    found = Arrangement({}, ())
    for name in (newest, *others):
        spans, rows = _places(size, [one for one in _WIDTHS if one in (*names, name)])
        lines = _lines(size, rows, room[1], share)
        # Only the first row may have less than it needs.
        is_high_enough = lines[0] >= _least_lines(size, rows[0])
        if not names or (is_high_enough and _are_wide_enough(size, spans, room[0])):
            names.append(name)
            found = Arrangement(spans, lines)
    return found


def column_widths(width: int, share: float) -> list[int]:
    """Return the columns of a grid that is ``width`` wide; those at the left have ``share`` times the others' width."""
    at_the_left = 2 * COLUMNS // 3
    whole = share * at_the_left + COLUMNS - at_the_left
    starts = [n * share if n <= at_the_left else at_the_left * share + n - at_the_left for n in range(COLUMNS + 1)]
    return [end - start for start, end in pairwise(round(width * start / whole) for start in starts)]


def _places(size: str, names: list[str]) -> tuple[dict[str, tuple[int, int]], list[list[str]]]:
    """Return what each picture spans, and the pictures of each row; one that spans two rows counts in neither."""
    spans: dict[str, tuple[int, int]] = {}
    rows: list[list[str]] = []
    below = [name for name in names if name in ("loss", "gap")]
    if size in FRAMED and below and {"accuracy", "map"} <= set(names):
        # The map stands beside all charts.
        spans.update({"accuracy": (4, 1), "map": (2, 2), **dict.fromkeys(below, (4 // len(below), 1))})
        rows, names = [["accuracy"], below], [name for name in names if name not in spans]
    charts = len(rows)
    for name in names:
        width = COLUMNS if name == "accuracy" and size not in FRAMED else _WIDTHS[name]
        if name == "gains" and "machine" in names:
            width = 2
        if len(rows) > charts and sum(spans[one][0] for one in rows[-1]) + width <= COLUMNS:
            rows[-1].append(name)
        else:
            rows.append([name])
        spans[name] = (width, 1)
    for row in rows[charts:]:
        taken = sum(spans[name][0] for name in row)
        spans.update({name: (spans[name][0] * COLUMNS // taken, 1) for name in row})
    return spans, rows


def _lines(size: str, rows: list[list[str]], room: int, share: float) -> tuple[int, ...]:
    """Return the lines of each row: its part of ``room``, but no fewer than it needs as long as others have more."""
    least = [_least_lines(size, row) for row in rows]
    parts = [max(_HEIGHTS[name] for name in row) for row in rows]
    parts[0] *= share
    lines = [max(round(room * part / sum(parts)), one) for part, one in zip(parts, least, strict=True)]
    lines[0] = room - sum(lines[1:])
    while lines[0] < least[0] and (spare := max(lines[n] - least[n] for n in range(len(rows)))) > 0:
        place = next(n for n in range(len(rows)) if lines[n] - least[n] == spare)
        lines[place] -= 1
        lines[0] += 1
    return tuple(lines)


def _least_lines(size: str, row: list[str]) -> int:
    return max(LEAST[name][1] for name in row) + _around(size)[1]


def _are_wide_enough(size: str, spans: dict[str, tuple[int, int]], width: int) -> bool:
    around = _around(size)[0]
    return all(width * span // COLUMNS >= LEAST[name][0] + around for name, (span, _) in spans.items())


def _around(size: str) -> Size:
    """Return the columns and lines of a picture that its frame or its rule takes."""
    return (4, 2) if size in FRAMED else (0, 1)
