"""Numbers as bars: in a row of little ones, or in lines of higher ones."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import ceil

_UNICODE = "▁▂▃▄▅▆▇█"
_ASCII = "_.-:=+*#"


def sparkline(
    values: Sequence[float], width: int, *, ascii_only: bool = False, bounds: tuple[float, float] | None = None
) -> str:
    """``values`` from the least, or the lower bound, to the greatest, or the upper, in at most ``width`` characters.

    Where there are more values than characters, one stands for the mean of several neighbours. Values that
    are all the same make a line of the lowest bar.
    """
    levels = _ASCII if ascii_only else _UNICODE
    means = means_of(values, width)
    if not means:
        return ""
    low, high = (min(means), max(means)) if bounds is None else bounds
    span = high - low
    top = len(levels) - 1
    return "".join(levels[0 if span <= 0 else min(int((mean - low) / span * len(levels)), top)] for mean in means)


def means_of(values: Sequence[float], most: int) -> list[float]:
    """Return at most ``most`` means, each of several neighbours where there are more values."""
    count = min(len(values), most)
    edges = [index * len(values) // count for index in range(count + 1)] if count > 0 else []
    return [sum(values[a:b]) / (b - a) for a, b in pairwise(edges)]


def bars(values: Sequence[float], rows: int, greatest: float, strip: str, width: int = 1) -> list[str]:
    """Return the lines of bars from the top: that of ``greatest`` is full, and one above zero is not empty.

    Args:
        values: not below zero.
        rows: lines that a full bar takes.
        greatest: the value of a full bar, above zero.
        strip: the characters of a line from nothing to full.
        width: of a bar, the gap behind it included from 2 on.
    """
    steps = len(strip) - 1
    heights = [ceil(value * rows * steps / greatest) for value in values]
    body = max(width - 1, 1)
    lines = []
    for row in reversed(range(rows)):
        parts = [strip[min(max(height - row * steps, 0), steps)] * body for height in heights]
        lines.append((" " * (width - body)).join(parts).rstrip())
    return lines
