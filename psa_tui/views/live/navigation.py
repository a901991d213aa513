"""What keys and mouse choose on the charts and the map of a run: options from options, without a screen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from psa_tui.views.chart import loop_at
from psa_tui.views.display import ChartWindow, DisplayOptions
from psa_tui.views.network_map import layout_of, unit_at
from psa_tui.views.state import RunState
from psa_tui.views.unit_marks import Measure

_STEP = 0.25
"""The part of the loops shown by which the chart is panned."""
Size = tuple[int, int]
"""Columns and lines of what is drawn."""


def panned(options: DisplayOptions, state: RunState, direction: int) -> DisplayOptions:
    """Show earlier (-1) or later (1) loops."""
    return _windowed(options, state, lambda window, first, newest: window.panned(first, newest, direction * _STEP))


def zoomed(options: DisplayOptions, state: RunState, factor: float) -> DisplayOptions:
    """Show ``factor`` times as many loops."""
    return _windowed(options, state, lambda window, first, newest: window.zoomed(first, newest, factor))


def rescaled(options: DisplayOptions) -> DisplayOptions:
    """Show the worst candidates too, or where the run has settled."""
    return replace(options, chart=replace(options.chart, whole_scale=not options.chart.whole_scale))


def with_cursor_moved(options: DisplayOptions, state: RunState, steps: int, columns: int) -> DisplayOptions:
    """Read out the loop ``steps`` dots further on in a chart of so many columns."""

    def moved(window: ChartWindow, first: int, newest: int) -> ChartWindow:
        start, end = window.bounds(first, newest)
        step = max((end - start + 1) // (2 * max(columns, 1)), 1)
        before = newest + 1 if window.cursor is None else window.cursor
        return window.with_cursor(first, newest, before + steps * step)

    return _windowed(options, state, moved)


def with_loop_pointed_at(options: DisplayOptions, state: RunState, column: int, width: int) -> DisplayOptions:
    """Read out the loop that a chart of ``width`` columns shows at ``column``."""
    loop = loop_at(state, column, width, options)
    if loop is None:
        return options
    return _windowed(options, state, lambda window, first, newest: window.with_cursor(first, newest, loop))


def with_next_measure(options: DisplayOptions) -> DisplayOptions:
    """Show another measure on the map."""
    measures = list(Measure)
    return replace(options, measure=measures[(measures.index(options.measure) + 1) % len(measures)])


def with_unit_moved(options: DisplayOptions, state: RunState, size: Size, across: int, down: int) -> DisplayOptions:
    """Read out a neighbour of the unit that a map of ``size`` reads out."""
    counts = () if state.started is None else state.started.unit_counts
    layout = layout_of(counts, *size, with_cursor=True)
    if layout is None:
        return options
    return replace(options, unit=(0, 0) if options.unit is None else layout.step(*options.unit, across, down))


def with_unit_pointed_at(options: DisplayOptions, state: RunState, size: Size, x: int, y: int) -> DisplayOptions:
    """Read out the unit at column ``x`` and line ``y`` of a map of ``size``."""
    counts = () if state.started is None else state.started.unit_counts
    return replace(options, unit=unit_at(counts, *size, x, y, with_cursor=options.unit is not None))


def reset(options: DisplayOptions) -> DisplayOptions:
    """Take back what was chosen for chart, map and log."""
    return replace(options, chart=ChartWindow(), unit=None, log_filter="", log_top=None)


def _windowed(
    options: DisplayOptions, state: RunState, change: Callable[[ChartWindow, int, int], ChartWindow]
) -> DisplayOptions:
    """Change which loops the charts show, once there are any."""
    loops = state.meta_loops
    return replace(options, chart=change(options.chart, loops[0], loops[-1])) if loops else options
