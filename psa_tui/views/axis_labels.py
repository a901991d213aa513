"""Labels of a chart's axes: numbers that are exact, at the place where they belong."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from math import ceil, floor, log10

_ROWS_APART = (4, 3, 2, 1)
"""How far labels of the y axis stand from one another, the first distance at which there are several."""
_COLUMNS_BETWEEN = 7
"""Blanks between two labels of the x axis, at least."""
_MOST_ON_X = 10


def y_labels(low: float, high: float, rows: int, width: int, unit: str) -> dict[float, str]:
    """Return the labels, by their values, of an axis that shows ``low`` to ``high`` in ``rows`` lines.

    A label has at most ``width`` characters; where it would have more, its ``unit`` is left out.
    """
    ticks: list[float] = []
    for apart in _ROWS_APART:
        ticks, decimals = _ticks(low, high, apart * (high - low) / rows)
        if len(ticks) > 1:
            break
    plain = [f"{tick:,.{decimals}f}" for tick in ticks]
    forms = ([text + unit for text in plain], plain, [_in_powers(tick) for tick in ticks])
    shown = next((form for form in forms if all(len(text) <= width for text in form)), [])
    return dict(zip(ticks, shown, strict=False))


def x_labels(left: float, right: float, columns: int) -> dict[float, str]:
    """Return the labels, by their values, of an axis of loops from ``left`` to ``right`` in ``columns`` characters."""
    widest = max(len(f"{round(end):,}") for end in (left, right))
    apart = max(widest + _COLUMNS_BETWEEN, columns / _MOST_ON_X)
    # Loops are whole, however few there are.
    ticks, _ = _ticks(left, right, max((right - left) * apart / columns, 1))
    return {tick: f"{tick:,.0f}" for tick in ticks}


def _ticks(low: float, high: float, least_step: float) -> tuple[list[float], int]:
    """Return the multiples of the smallest round step from ``least_step`` on, and the decimals that they have."""
    step, exponent = next(one for one in _round_steps(floor(log10(least_step))) if one[0] >= least_step)
    ticks = [number * step for number in range(ceil(low / step), floor(high / step) + 1)]
    return ticks, max(-exponent, 0)


def _round_steps(exponent: int) -> Iterator[tuple[float, int]]:
    """Go through 1, 2 and 5 times powers of ten from that of ``exponent`` on, each with its exponent."""
    for power in count(exponent):
        for factor in (1, 2, 5):
            yield factor * 10.0**power, power


def _in_powers(number: float) -> str:
    """Write a number that is too small or too large for its digits: 1.2e-5, 3.0e6."""
    mantissa, _, exponent = f"{number:.1e}".partition("e")
    return f"{mantissa}e{int(exponent)}"
