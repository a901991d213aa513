"""A row of numbers as a row of little bars."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

_UNICODE = "▁▂▃▄▅▆▇█"
_ASCII = "_.-:=+*#"


def sparkline(
    values: Sequence[float], width: int, *, ascii_only: bool = False, bounds: tuple[float, float] | None = None
) -> str:
    """``values`` from the least, or the lower bound, to the greatest, or the upper, in at most ``width`` characters.

    Where there are more values than characters, one stands for the mean of several neighbours. Values that
    are all the same make a line of the lowest bar.
    """
    bars = _ASCII if ascii_only else _UNICODE
    count = min(len(values), width)
    edges = [index * len(values) // count for index in range(count + 1)] if count > 0 else []
    means = [sum(values[a:b]) / (b - a) for a, b in pairwise(edges)]
    if not means:
        return ""
    low, high = (min(means), max(means)) if bounds is None else bounds
    span = high - low
    return "".join(bars[0 if span <= 0 else min(int((mean - low) / span * len(bars)), len(bars) - 1)] for mean in means)
