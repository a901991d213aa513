"""The charts of a run by meta-loop: validation accuracy with the LKG's staircase, and training loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rich.text import Text

from psa_tui.formatting import first_fitting, percent, points
from psa_tui.views.braille import Plot, Series, plot
from psa_tui.views.display import DisplayOptions
from psa_tui.views.state import RunState

_ZOOM = 3.0
_MOST = (0.05, 0.9)
"""The quantiles of losses and gaps between which most of them lie: the first ones are often far above."""
_SETTLED = 0.15
"""The quantile of the accuracies shown at which a run counts as settled."""
_MARKED = 1.0
"""As many points a column have a character of their own; where there are more, they are dots."""
PROMOTED, ROLLED_BACK, LKG, MAJORITY, OFF_SCALE, CHANGE = (
    "bold bright_green",
    "blue",
    "green",
    "magenta",
    "yellow",
    "cyan",
)

_NO_ROOM = Text("no room for a chart", style="dim", no_wrap=True)


@dataclass(frozen=True, slots=True)
class _Shown:
    """The loops in the window of a chart."""

    loops: np.ndarray
    """Meta-loops [N], ascending."""
    accuracies: np.ndarray
    """Of the candidates, percent [N]."""
    lkg: np.ndarray
    """Accuracy of the LKG after each loop, percent [N]; NaN before there is one."""
    promoted: np.ndarray
    """Which candidates became the LKG, bool [N]."""
    losses: np.ndarray
    """Mean training losses [N]; NaN where not finite."""
    train_accuracies: np.ndarray
    """Fractions [N]; NaN where not counted."""


def accuracy_chart(state: RunState, width: int, height: int, options: DisplayOptions) -> Text:
    """Draw the validation accuracies in ``width`` x ``height`` characters, with a legend or what the cursor is at."""
    if not state.accuracies:
        return Text("no loop yet")
    shown = _shown(state, options)
    glyphs = options.glyphs
    fraction = None if state.started is None else state.started.majority_class_accuracy
    majority = None if fraction is None else 100 * fraction
    low, high = _scale(shown.accuracies, majority, whole=options.chart.whole_scale)
    x_range = _x_range(shown.loops)
    series = [
        Series(shown.loops, shown.accuracies, ROLLED_BACK, glyphs.dot),
        Series(*_staircase(shown), LKG, glyphs.lkg, line=True),
        Series(shown.loops[shown.promoted], shown.accuracies[shown.promoted], PROMOTED, glyphs.promoted),
    ]
    drawn = plot(series, width, height - 1, x_range, (low, high), y_unit=" %", ascii_only=options.ascii)
    if drawn is None:
        return _NO_ROOM.copy()
    if majority is not None and (cell := drawn.cell(x_range[0], majority)) is not None:
        for column in range(drawn.columns):
            drawn.put(column, cell[1], glyphs.majority, MAJORITY, over=False)
        # The axes have it even where loops are so many that they cover it.
        for edge in (-1, drawn.columns):
            drawn.put(edge, cell[1], glyphs.majority, MAJORITY)
    _mark_changes(drawn, state, options)
    _mark_verdicts(drawn, shown, shown.accuracies, options)
    _mark_outside(drawn, shown, shown.accuracies, options)
    drawn.draw_cursor(options.chart.cursor)
    first = _read_out(state, options, width)
    if first is None:
        changed = any(x_range[0] < change.meta_loop < x_range[1] for change in state.changes)
        first = _legend(options, majority, low, int((shown.accuracies < low).sum()), width, changed=changed)
    return Text("\n", no_wrap=True).join([first, *drawn.lines])


def loss_chart(state: RunState, width: int, height: int, options: DisplayOptions) -> Text:
    """Draw the candidates' mean training losses in ``width`` x ``height`` characters."""
    if not state.train_losses:
        return Text("no loop yet")
    shown = _shown(state, options)
    return _plain_chart(state, shown, shown.losses, "no loss was finite", 1e-4, width, height, options)


def gap_chart(state: RunState, width: int, height: int, options: DisplayOptions) -> Text:
    """Draw by how many points training accuracy lies above validation accuracy, loop by loop."""
    if not state.train_accuracies:
        return Text("no loop yet")
    shown = _shown(state, options)
    gaps = 100 * shown.train_accuracies - shown.accuracies
    return _plain_chart(state, shown, gaps, "training accuracy was not counted", 0.05, width, height, options)


def _plain_chart(
    state: RunState,
    shown: _Shown,
    values: np.ndarray,
    nothing: str,
    least_margin: float,
    width: int,
    height: int,
    options: DisplayOptions,
) -> Text:
    """Draw one value a loop; ``nothing`` says why there is none."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return Text(nothing, no_wrap=True)
    y_range = _settled(finite, least_margin, whole=options.chart.whole_scale)
    series = [
        Series(shown.loops, values, ROLLED_BACK, options.glyphs.dot),
        Series(shown.loops[shown.promoted], values[shown.promoted], PROMOTED, options.glyphs.promoted),
    ]
    drawn = plot(series, width, height, _x_range(shown.loops), y_range, ascii_only=options.ascii)
    if drawn is None:
        return _NO_ROOM.copy()
    _mark_changes(drawn, state, options)
    _mark_verdicts(drawn, shown, values, options)
    _mark_outside(drawn, shown, values, options)
    drawn.draw_cursor(options.chart.cursor)
    return drawn.text


def loop_at(state: RunState, column: int, width: int, options: DisplayOptions) -> int | None:
    """Return the loop that a chart of ``width`` characters shows in ``column``; None outside of it."""
    if not state.meta_loops:
        return None
    drawn = plot([], width, 5, _x_range(_shown(state, options).loops), (0.0, 1.0))
    if drawn is None or not 1 <= column <= drawn.columns:
        return None
    left, right = drawn.x_range
    return round(left + (right - left) * (column - 0.5) / drawn.columns)


def _shown(state: RunState, options: DisplayOptions) -> _Shown:
    loops = np.array(state.meta_loops, dtype=np.int64)
    start, end = options.chart.bounds(int(loops[0]), int(loops[-1]))
    accuracies = 100 * np.array(state.accuracies)
    promoted = np.array(state.promoted, dtype=bool)
    newest = np.maximum.accumulate(np.where(promoted, np.arange(len(loops)), -1))
    lkg = np.where(newest < 0, np.nan, accuracies[newest])
    window = slice(int(np.searchsorted(loops, start)), int(np.searchsorted(loops, end, side="right")))
    losses, train_accuracies = (np.array(one) for one in (state.train_losses, state.train_accuracies))
    return _Shown(
        loops[window].astype(float),
        accuracies[window],
        lkg[window],
        promoted[window],
        losses[window],
        train_accuracies[window],
    )


def _x_range(loops: np.ndarray) -> tuple[float, float]:
    return float(loops[0]) - 0.5, float(max(loops[-1], loops[0] + 9)) + 0.5


def _scale(accuracies: np.ndarray, majority: float | None, *, whole: bool) -> tuple[float, float]:
    """Return the percentages shown: from the majority line up, or only the upper end once a run has settled there."""
    low, high = float(accuracies.min()), float(accuracies.max())
    low = low if majority is None else min(low, majority)
    settled = float(np.quantile(accuracies, _SETTLED))
    if not whole and high - low > _ZOOM * max(high - settled, 0.5):
        low = settled - 0.5 * max(high - settled, 0.5)
    return _margins(low, high, least=0.05)


def _settled(values: np.ndarray, least_margin: float, *, whole: bool) -> tuple[float, float]:
    """Return what is shown of ``values``: all, or where most of them are if a few are far away."""
    low, high = float(values.min()), float(values.max())
    inner_low, inner_high = (float(value) for value in np.quantile(values, _MOST))
    spread = max(inner_high - inner_low, least_margin)
    if not whole and high - low > _ZOOM * spread:
        low, high = max(low, inner_low - 0.5 * spread), min(high, inner_high + 0.5 * spread)
    return _margins(low, high, least=least_margin)


def _margins(low: float, high: float, *, least: float) -> tuple[float, float]:
    margin = max(0.04 * (high - low), least)
    return low - margin, high + margin


def _staircase(shown: _Shown) -> tuple[np.ndarray, np.ndarray]:
    """Return the corners of the LKG's accuracy: level until a promotion, then straight up or down."""
    x, y = np.repeat(shown.loops, 2)[1:], np.repeat(shown.lkg, 2)[:-1]
    corner = np.isfinite(y)
    # Only the corners: each piece of a line costs.
    corner[1:-1] &= (y[1:-1] != y[:-2]) | (y[1:-1] != y[2:])
    return x[corner], y[corner]


def _mark_changes(drawn: Plot, state: RunState, options: DisplayOptions) -> None:
    """Draw a line down the plot where the run went on with other settings."""
    left, right = drawn.x_range
    for loop in {change.meta_loop for change in state.changes if left < change.meta_loop < right}:
        for row in range(drawn.rows):
            drawn.put(drawn.column(loop), row, options.glyphs.change, CHANGE, over=False)


def _mark_verdicts(drawn: Plot, shown: _Shown, values: np.ndarray, options: DisplayOptions) -> None:
    """Make each loop a character instead of a dot, and the promoted ones above all, where they are few enough."""
    if len(shown.loops) <= _MARKED * drawn.columns:
        other = ~shown.promoted
        _mark(drawn, shown.loops[other], values[other], options.glyphs.dot, ROLLED_BACK)
    _mark(drawn, shown.loops[shown.promoted], values[shown.promoted], options.glyphs.promoted, PROMOTED)


def _mark_outside(drawn: Plot, shown: _Shown, values: np.ndarray, options: DisplayOptions) -> None:
    """Mark at the edge of the plot where a value lies outside of it."""
    low, high = drawn.y_range
    for outside, row, glyph in (
        (values < low, drawn.rows - 1, options.glyphs.below),
        (values > high, 0, options.glyphs.above),
    ):
        for column in {drawn.column(loop) for loop in shown.loops[outside]}:
            drawn.put(column, row, glyph, OFF_SCALE)


def _mark(drawn: Plot, loops: np.ndarray, values: np.ndarray, glyph: str, style: str) -> None:
    """Put a character on points that are few enough to be told apart."""
    if len(loops) > _MARKED * drawn.columns:
        return
    for loop, value in zip(loops, values, strict=True):
        if (cell := drawn.cell(loop, value)) is not None:
            drawn.put(*cell, glyph, style)


def _read_out(state: RunState, options: DisplayOptions, width: int) -> Text | None:
    """Say of the loop at the cursor what fits: verdict, accuracy, gain, units."""
    cursor = options.chart.cursor
    if cursor is None:
        return None
    place = int(np.searchsorted(np.array(state.meta_loops, dtype=np.int64), cursor))
    if place >= len(state.meta_loops) or state.meta_loops[place] != cursor:
        return Text(f"loop {cursor}: not in the history", no_wrap=True)
    promoted = np.array(state.promoted[:place], dtype=bool)
    earlier = np.flatnonzero(promoted)
    accuracy = state.accuracies[place]
    parts = [f"loop {cursor}: {percent(accuracy)}", "promoted" if state.promoted[place] else "rolled back"]
    if len(earlier):
        parts[1] += f" {points(accuracy - state.accuracies[earlier[-1]])}"
    layer, unit, count = state.units[3 * place : 3 * place + 3] if state.units else (-1, -1, 0)
    if count and state.started is not None:
        parts.append(state.names.unit(layer, unit) + (f" and {count - 1} more" if count > 1 else ""))
    parts += [f"{one.name} {one.before} -> {one.after}" for one in state.changes if one.meta_loop == cursor]
    loss = state.train_losses[place] if state.train_losses else float("nan")
    if np.isfinite(loss):
        parts.append(f"loss {loss:.4f}")
    return _fitting(parts, width)


def _legend(
    options: DisplayOptions, majority: float | None, low: float, below: int, width: int, *, changed: bool
) -> Text:
    """Say what the signs mean, those that are in the chart before the majority class where it is below."""
    glyphs = options.glyphs
    parts: list[tuple[str, str, Sequence[str]]] = [
        (glyphs.promoted, PROMOTED, ("promoted",)),
        (glyphs.dot, ROLLED_BACK, ("rolled back",)),
        (glyphs.lkg, LKG, ("LKG",)),
    ]
    if below:
        parts.append((glyphs.below, OFF_SCALE, (f"{below:,} below", f"{below:,}")))
    if changed:
        parts.append((glyphs.change, CHANGE, ("other settings", "changed")))
    if majority is not None:
        told = f"majority {majority:.2f} %"
        is_drawn = low <= majority
        meaning = told if is_drawn else f"{told} (below)"
        parts.insert(3 if is_drawn else len(parts), (glyphs.majority, MAJORITY, (meaning,)))
    line = Text(no_wrap=True)
    for glyph, style, meanings in parts:
        if meaning := first_fitting(width - len(line) - (4 if line else 2), *meanings):
            line.append("  " if line else "").append(glyph, style).append(f" {meaning}")
    return line


def _fitting(parts: list[str], width: int) -> Text:
    while len(parts) > 1 and len("  ".join(parts)) > width:
        parts.pop()
    return Text("  ".join(parts), no_wrap=True)
