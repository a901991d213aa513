"""The dashboard's log: a line a meta-loop, the newest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice, takewhile

from rich.text import Text

from psa_tui.formatting import first_fitting, percent, points, printable
from psa_tui.method.ablation import AblatedUnit
from psa_tui.method.events import MetaLoopFinished, Verdict
from psa_tui.method.layer_names import LayerNames
from psa_tui.views.display import DisplayOptions
from psa_tui.views.state import RunState
from psa_tui.views.text import format_units, format_verdict, needs_reason

_ACCURACY_FROM = 60
"""Columns from which on the accuracy and the numbers of weights stand in the line."""
_REASON_FROM = 110
"""Columns from which on the promotion rule's reason stands in the line, even the published rule's."""

_WHOLE = 200
"""Columns of the line in which a filter looks."""


def log_title(state: RunState, options: DisplayOptions, width: int) -> str:
    """Name the log, what it is filtered by, and how far back it is scrolled, in ``width`` characters."""
    only = f" with {printable(options.log_filter)}" if options.log_filter else ""
    lines = lines_scrolled(state, options)
    scrolled = f" ({lines} scrolled)" if lines else ""
    names = (
        f"ablations and verdicts{only}, newest first{scrolled}",
        f"ablations and verdicts{only}{scrolled}",
        f"ablations{only}{scrolled}",
        f"log{scrolled}",
        "log",
    )
    return first_fitting(width, *names)


def shown_loops(state: RunState, options: DisplayOptions) -> Sequence[MetaLoopFinished]:
    """Return the loops whose lines have the filter in them, newest first."""
    if not options.log_filter:
        return state.recent
    wanted = options.log_filter.casefold()
    return [loop for loop in state.recent if wanted in _line(loop, _WHOLE, options, state.names).plain.casefold()]


def lines_scrolled(state: RunState, options: DisplayOptions) -> int:
    """Return how many lines stand before the one scrolled to; the last line stays where it was forgotten meanwhile."""
    top = options.log_top
    if top is None:
        return 0
    loops = shown_loops(state, options)
    newer = sum(1 for _ in takewhile(lambda loop: loop.meta_loop > top, loops))
    return min(newer, max(len(loops) - 1, 0))


def with_log_scrolled(options: DisplayOptions, state: RunState, lines: int) -> DisplayOptions:
    """Scroll the log by ``lines``; from then on it begins with the same meta-loop, unless that is the newest."""
    loops = shown_loops(state, options)
    first = min(lines_scrolled(state, options) + lines, len(loops) - 1)
    return replace(options, log_top=loops[first].meta_loop if first > 0 else None)


def log(state: RunState, width: int, height: int, options: DisplayOptions) -> Text:
    """Write as many loops as fit, from the one scrolled to."""
    text = Text(no_wrap=True)
    first = lines_scrolled(state, options)
    loops = list(islice(shown_loops(state, options), first, first + height))
    for index, loop in enumerate(loops):
        text.append("\n" if index else "")
        text.append_text(_line(loop, width, options, state.names))
    return text if loops else Text("no such line" if options.log_filter else "nothing yet", style="dim")


def _line(loop: MetaLoopFinished, width: int, options: DisplayOptions, names: LayerNames) -> Text:
    promoted = loop.verdict is Verdict.PROMOTED
    glyph = options.glyphs.promoted if promoted else options.glyphs.hit
    style = "green" if promoted else "red"
    line = Text(f"{loop.meta_loop:>5} ", no_wrap=True)
    if width >= _ACCURACY_FROM:
        line.append(f"{glyph} {format_verdict(loop):<19}", style)
        line.append(f"{percent(loop.validation_accuracy):>8}  ")
        line.append(_details(loop, names, width - len(line), wide=width >= _REASON_FROM))
    else:
        verdict = "promoted" if promoted else "rolled back" if loop.finite else "not finite"
        gain = "" if loop.gain is None or not loop.finite else f" {points(loop.gain)}"
        line.append(f"{glyph} {verdict}{gain}", style)
        if loop.ablation is not None:
            line.pad_right(max(27 - len(line), 0))
            line.append(f" {format_units(loop.ablation.units, names, width - len(line) - 1)}")
    line.truncate(width, overflow=options.overflow)
    return line


def _details(loop: MetaLoopFinished, names: LayerNames, room: int, *, wide: bool) -> str:
    """Return what fits of: the units, how many weights were hit, and the rule's reason where the gain is not all."""
    reason = f"  {loop.reason}" if needs_reason(loop) or (wide and loop.reason) else ""
    listed, short, weights = "", "", ""
    if loop.ablation is not None:
        units = loop.ablation.units
        listed = format_units(units, names, room)
        short = format_units(units, names, room - len(reason)) if needs_reason(loop) else listed
        weights = _weights(units)
    for details in (listed + weights + reason, listed + reason, short + reason, listed + weights):
        if len(details) <= room:
            return details
    return listed


def _weights(units: Sequence[AblatedUnit]) -> str:
    """Return how many weights lead into the units and, where these were changed too, out of them."""
    incoming = sum(unit.incoming for unit in units)
    outgoing = sum(unit.outgoing for unit in units)
    if not incoming:
        return ""
    return f" ({incoming} in" + (f", {outgoing} out)" if outgoing else ")")
