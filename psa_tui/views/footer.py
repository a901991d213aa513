"""The dashboard's last line and its help: what keys do, and what was asked for with them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from psa_tui.formatting import count
from psa_tui.method.events import ControlChanged, Outcome
from psa_tui.method.variants import PUBLISHED
from psa_tui.views.display import DisplayOptions
from psa_tui.views.panels import format_resources
from psa_tui.views.state import RunState
from psa_tui.views.text import CONTROL, format_end, format_started, format_variant, variant_of
from psa_tui.views.unit_marks import LEVELS

_RUN_KEYS = (
    ("space", "pause, go on"),
    ("m", "choose the mode of the next loops"),
    ("s", "stop after this loop"),
    ("q", "stop now"),
    ("l", "log level"),
)
_READ_ONLY_KEYS = (("q", "leave; the run goes on"),)
_SCREEN_KEYS = (
    ("1 to 9", "show or hide accuracy, map, loss, gap, log, what helps, gains, architecture, machine"),
    ("left, right", "read out a loop of the chart; so does a click"),
    ("+ -", "zoom the chart; so does the wheel"),
    ("[ ]", "pan the chart"),
    ("z", "scale with the worst candidates, or without"),
    ("0, Esc", "take back zoom, cursor, filter and scrolling"),
    ("h", "map: what became of hits, how many, promotions, mean gain"),
    ("shift+arrows", "read out a unit of the map; so does a click"),
    ("/", "filter the log"),
    ("up, down", "scroll the log, which then stays where it is"),
    ("< > { }", "make the left, the upper pictures smaller, larger"),
    ("w", "all facts and warnings of the run"),
    ("?", "this page"),
)
_WORDS = (
    ("bounty", "the best validation accuracy ever reached; under some promotion rules the LKG may be worse"),
    ("never active", "hidden units that no validation image activates"),
    ("gain", "validation accuracy of a candidate less that of the LKG, in percentage points"),
    ("survived", "of the hits on units that were alive, how many candidates were promoted"),
    ("chance", "how often candidates are promoted, whatever was ablated"),
    ("above, below", "a layer's hits are survived more, less often than by chance (95 % interval)"),
    ("like", "no difference from chance is seen yet"),
)
_TERM = 12
"""Characters of the longest term that the help explains."""
_HELP = "? help"
_STORY = (
    "Every meta-loop clones the Last Known Good (LKG) weights, zeroes one random neuron (in the modes full, "
    "hidden and output), trains one epoch and measures the validation accuracy. A strictly better candidate "
    "is promoted and becomes the LKG; any other is rolled back, ablation and all."
)
_TRAINING = (
    "Training loss and accuracy are means over the epoch, of every image as its step saw it: by weights that still "
    "changed, and with dropout where the mode has it. So training accuracy may lie below validation accuracy, which is "
    "measured afterwards without dropout, most of all in the first loops: a gap below zero is no fault."
)
_PUBLISHED = [variant.without_look() for variant in PUBLISHED]


def keys_help(mode: str, options: DisplayOptions) -> RenderableType:
    """Explain keys, signs, words and the method, and the promotion rule of ``mode`` where it is another."""
    glyphs = options.glyphs
    keys = [*(_READ_ONLY_KEYS if options.read_only else _RUN_KEYS), *_SCREEN_KEYS]
    strip = [glyphs.strip[level] for level in LEVELS]
    signs = (
        (glyphs.promoted, "a candidate that was promoted"),
        (glyphs.dot, "a candidate that was rolled back; a dot where loops are many"),
        (glyphs.lkg, "the LKG's accuracy: a stair at each promotion"),
        (glyphs.majority, "what always answering the most frequent class would score"),
        (glyphs.below, f"candidates below the scale ({glyphs.above} above)"),
        (glyphs.change, "from here on the run trained with other settings; the cursor says which"),
        (glyphs.survived, "a unit that was ablated, and the candidate was promoted all the same"),
        (glyphs.hit, "a unit that was ablated, and the candidate was rolled back"),
        (glyphs.dead, "a dead unit of the LKG: all its incoming weights are zero"),
        (glyphs.now, "the unit that is ablated now"),
        (glyphs.untouched, "a unit that was never ablated"),
        (f"{strip[0]} to {strip[-1]}", "on the map of a measure: from few to many, or from what harms to what helps"),
    )
    variant, words = variant_of(mode), format_variant(variant_of(mode))
    # Of a mode that is not installed here nothing is known.
    is_told = variant.without_look() in _PUBLISHED or words == CONTROL
    other = [] if is_told else ["", f"The mode {mode}: {words}."]
    tables = [one for terms in (keys, signs, _WORDS) for one in (_explained(terms), Text(""))]
    return Group(*tables, Text("\n".join([_STORY, *other, "", _TRAINING])))


def _explained(terms: Iterable[tuple[str, str]]) -> Table:
    """Write each term and what it means side by side, however narrow the screen is."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(width=_TERM)
    table.add_column()
    for term, meaning in terms:
        table.add_row(Text(term), Text(meaning))
    return table


def facts(state: RunState) -> Text:
    """Write all that is known of a run, and its warnings in full."""
    event = state.started
    if event is None:
        return Text("the run has not begun yet")
    text = Text("\n").join([Text(f"warning: {notice}", style="yellow") for notice in event.notices])
    rates = (
        f"backend {event.backend}; weight decay {event.hyperparameters.weight_decay:g} and dropout "
        f"{event.hyperparameters.dropout:g} where the mode has them"
    )
    lines = [
        *format_started(event),
        *([] if event.own_loop else [rates]),
        *filter(None, [format_resources(state)]),
        *([] if state.finished is None else ["", *format_end(state.finished)]),
        "",
        "log, newest first:",
        *(state.messages or ["nothing"]),
    ]
    return text.append(("\n" if event.notices else "") + "\n".join(lines))


def footer(state: RunState, width: int, options: DisplayOptions) -> Text:
    """Write how the run ended, what was asked for, the newest log line, or the keys, the first there is.

    Warnings for which the screen has no room are named before all.
    """
    text = _last_line(state, width, options)
    if options.hides_warnings and state.started is not None:
        warnings = count(len(state.started.notices), "warning")
        text = Text.assemble((f"w {warnings}", "yellow"), "  ", _last_line(state, width - len(warnings) - 4, options))
    text.no_wrap = True
    text.truncate(width)
    return text


def _last_line(state: RunState, width: int, options: DisplayOptions) -> Text:
    control = state.control
    asked = _asked(control)
    if options.read_only:
        return _read_only_footer(state, width, options)
    if state.finished is not None:
        return Text(f" {state.finished.outcome} ", style=_end_style(state))
    if asked:
        # Where several things are asked for, there is no room for how to take them back.
        short = [one if len(asked) == 1 else one.partition(":")[0] for one in asked]
        return _with_keys(f" {'; '.join(short)} ", ("q stop now", _HELP), width)
    if control is not None and state.messages and control.log_level == "debug":
        return Text(f"log {control.log_level}: {state.messages[0]}")
    level = "" if control is None else f" ({control.log_level})"
    back = _way_back(options)
    return _keys(
        (*back, "space pause", "q stop now", "m mode", "s stop after loop", f"l log{level}", "/ filter"), width
    )


def _way_back(options: DisplayOptions) -> tuple[str, ...]:
    return ("Esc no filter",) if options.log_filter else ()


def _keys(keys: tuple[str, ...], width: int) -> Text:
    """Name as many of the first keys as there is room for, and the one for help."""
    shown = list(keys)
    while len("  ".join([*shown, _HELP])) > width and shown:
        shown.pop()
    return Text("  ".join([*shown, _HELP]), style="dim")


def _read_only_footer(state: RunState, width: int, options: DisplayOptions) -> Text:
    back = _way_back(options)
    if state.finished is None:
        return _keys((*back, "q leave", "read-only: another process trains", "/ filter"), width)
    outcome, reason = state.finished.outcome, state.finished.reason
    keys = [*back, "q leave", _HELP, "read-only: a resume shows here"]
    told = f" {outcome} by {reason} " if outcome is Outcome.STOPPED else f" {outcome}: {reason} "
    if not reason or len("  ".join([told, *keys[:-1]])) > width:
        # Why a run failed may be a long sentence; among the facts it is whole.
        told = f" {outcome} "
        keys = ["w says why", *keys] if reason else keys
    return _with_keys(told, keys, width, _end_style(state))


def _end_style(state: RunState) -> str:
    return "reverse red" if state.finished is not None and state.finished.outcome is Outcome.FAILED else "reverse"


def _with_keys(told: str, keys: Sequence[str], width: int, style: str = "reverse") -> Text:
    """Write what is ``told`` as what matters now, and as many of ``keys`` behind it as there is room for."""
    text = Text().append(told, style)
    for key in keys:
        if len(text) + len(key) + 2 <= width:
            text.append("  ").append(key, "dim")
    return text


def _asked(control: ControlChanged | None) -> list[str]:
    """Return what somebody at the keyboard asked for and the run has not done yet."""
    asked = []
    if control is not None and control.paused:
        asked.append("PAUSED: space goes on")
    if control is not None and control.stop_after_loop:
        asked.append("stopping after this loop: s takes it back")
    if control is not None and control.next_mode is not None:
        asked.append(f"mode {control.next_mode} from the next loop on: m chooses another")
    return asked
