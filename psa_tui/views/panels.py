"""The dashboard's panels of numbers: title, progress, LKG and architecture."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from psa_tui.formatting import duration, format_bytes, loop_time, network_words, percent
from psa_tui.method.events import Outcome, RunFinished
from psa_tui.method.promotion import ALWAYS
from psa_tui.views.display import DisplayOptions
from psa_tui.views.resources import format_device_memory
from psa_tui.views.state import RunState
from psa_tui.views.text import format_ablation, format_bounty, format_lkg, variant_of

_RATE_FROM = 80
"""Columns from which on the rate stands beside the loss, where it has no line of its own."""
_INDENT = " " * 9
"""What is below a bar begins where the bar does; two more blanks stand between any two facts."""
_SEEN_S = 1.0
"""A history is looked at twice a second: of shorter loops it is not known when the one under way began."""
_SHORTEST_MODE = 12
"""Characters of a mode's name that are shown whatever the width."""


def title(state: RunState, width: int, options: DisplayOptions) -> str:
    """Say what runs, on what; a mode whose name is too long for ``width`` is cut, so that all else is seen."""
    event = state.started
    assert event is not None
    before = f"PSA {network_words(event.network, event.architecture)}  mode "
    behind = [f"  {event.dataset}", f"  run {event.name or event.run}"]
    # What stands behind is left out rather than cut.
    while behind and len(before) + len(state.mode) + len("".join(behind)) > width and len(behind) > 1:
        behind.pop()
    room = max(width - len(before) - len("".join(behind)), _SHORTEST_MODE)
    mode = state.mode if len(state.mode) <= room else state.mode[: room - 3] + "..."
    return f"{before}{mode}{''.join(behind)}"


def notices(state: RunState) -> Text:
    """Write what a user must know before trusting the numbers, in full."""
    assert state.started is not None
    return Text("\n").join([Text(f"warning: {notice}", style="yellow") for notice in state.started.notices])


def header(state: RunState, width: int, now: float) -> Text:
    """Write the facts of the run and, at the right, how long it has taken."""
    event = state.started
    assert event is not None
    threads = "1 thread" if event.threads == 1 else f"{event.threads} threads"
    facts = f"{event.parameters:,} parameters  {event.device}, {threads}  seed {event.seed}"
    settings = f"  lr {event.hyperparameters.learning_rate:g}  batch {event.hyperparameters.batch_size}"
    clock = duration((now if state.finished is None else state.finished_at) - state.started_at)
    settings = "" if event.own_loop else settings
    line = facts + settings if len(facts + settings) + len(clock) + 2 <= width else facts
    return Text(f"{line[: width - len(clock) - 1]:<{width - len(clock)}}{clock}", no_wrap=True)


def progress_bars(state: RunState, width: int, now: float, options: DisplayOptions, lines: int = 4) -> Group:
    """Draw the first ``lines`` of: the run's bar, the epoch's, what was ablated for it, and what the machine does."""
    event, progress = state.started, state.progress
    assert event is not None
    assert progress is not None
    done, last = progress.meta_loop, event.last_meta_loop
    # Without a line of its own, the rate stands beside the loss where there is room for both.
    notes = 32 if lines == 2 and width >= _RATE_FROM else 16
    machine = [_rate(state), _loop_time(state), format_resources(state)]
    if state.finished is not None:
        of_run = _bar("meta-loop", done, last, f"{done}/{last}", "", width - notes, options)
        outcome = state.finished.outcome
        of_run.append(outcome, "bold red" if outcome is Outcome.FAILED else "")
        tested = _tested(state.finished)
        facts = [[tested, *machine]] if lines == 2 else [[one] for one in ([tested] if tested else [])] + [machine]
        return Group(*[of_run, *(_fitting([_INDENT, *parts], width) for parts in facts)][:lines])
    left = state.seconds_left(now)
    when = "" if left is None else f"{duration(left)} left"
    images, total, loss = 0, event.train_count, ""
    if state.epoch is not None:
        images, total = state.epoch.images, state.epoch.image_count
        loss = f"loss {state.epoch.loss:.4f}"
    if notes == 32:
        loss = f"{loss:<12}  {_rate(state)}"
    ablated = "no ablation"
    if state.ablation is not None:
        ablated = format_ablation(state.ablation.units, state.names, max(width - 11, 2))
    epoch = _bar("epoch", images, total, f"{images * 100 // max(total, 1)} %", loss, width - notes, options)
    if options.read_only:
        epoch = _since_last_loop(state, now, width - notes, options)
        ablated = "its neuron shows when it ends" if variant_of(state.mode).ablates else ""
    shown = [
        _bar("meta-loop", done, last, f"{done}/{last}", when, width - notes, options),
        epoch,
        Text(f"{'':<11}{ablated}", no_wrap=True),
        _fitting([_INDENT, *machine], width),
    ]
    return Group(*shown[:lines])


def _tested(finished: RunFinished) -> str:
    return "" if finished.test_accuracy is None else f"test accuracy of the LKG {percent(finished.test_accuracy)}"


def _rate(state: RunState) -> str:
    """Write the images that the last loops trained on in a second, validation and writing included in their time."""
    if state.started is None or not state.started.train_count or not state.loop_s:
        return ""
    rate = state.started.train_count / state.loop_s
    # Beside the loss there is room for six digits.
    return f"{rate:,.0f} images/s" if round(rate) < 1_000_000 else f"{rate / 1e6:,.1f} M images/s"


def _loop_time(state: RunState) -> str:
    return "" if state.loop_s is None else f"{loop_time(state.loop_s)}/loop"


def format_resources(state: RunState) -> str:
    """Write what the run takes of the machine, as far as that is known: "187 % CPU, 412 MB", and of a GPU's memory."""
    newest = state.resources.newest
    parts = [] if newest is None else [f"{newest.cpu_percent:.0f} % CPU, {format_bytes(newest.memory_bytes)}"]
    if state.device_memory is not None:
        parts.append(format_device_memory(state.device_memory))
    return ", ".join(parts)


def _fitting(parts: list[str], width: int) -> Text:
    """Join what there is of ``parts``, as many of the first ones as ``width`` characters hold."""
    shown = [part for part in parts if part]
    while len(shown) > 1 and len("  ".join(shown)) > width:
        shown.pop()
    return Text("  ".join(shown), no_wrap=True)


def _since_last_loop(state: RunState, now: float, width: int, options: DisplayOptions) -> Text:
    """Draw how long ago the last loop ended, beside what one takes: all that a history tells of the loop under way."""
    usual_s = state.loop_s
    if usual_s is None:
        return _bar("this loop", 0, 1, "", "", width, options)
    since_s = max(now - state.loop_started_at, 0.0)
    if max(usual_s, since_s) < _SEEN_S:
        return _bar("this loop", 0, 1, "", f"usually {loop_time(usual_s)}", width, options)
    thousandths = min(round(1000 * since_s / usual_s), 1000) if usual_s > 0 else 1000
    return _bar("this loop", thousandths, 1000, f"{since_s:.1f} s", f"usually {loop_time(usual_s)}", width, options)


def _bar(name: str, part: int, whole: int, count: str, note: str, width: int, options: DisplayOptions) -> Text:
    """Draw a bar and its count in ``width`` characters, and ``note`` behind them."""
    room = max(width - 11 - 14, 5)
    filled = room * part // max(whole, 1)
    text = Text(f"{name:<11}", no_wrap=True)
    text.append(options.glyphs.bar * filled, "green")
    text.append(options.glyphs.bar_rest * (room - filled), "dim")
    text.append(f"{count:>14}  {note}")
    return text


def lkg(state: RunState, width: int, lines: int = 4) -> Text:
    """Write in ``lines`` (1, 2 or 4) the weights in force, the best ever reached, and what became of candidates."""
    progress = state.progress
    assert progress is not None
    first = Text(format_lkg(progress), style="bold" if progress.lkg_correct is None else "bold green")
    in_a_row = progress.rollbacks_in_a_row
    row = f"{in_a_row} rollback{'' if in_a_row == 1 else 's'} in a row"
    if variant_of(state.mode).promotion == ALWAYS:
        # What is in force is the newest, and not the best known.
        row = "every candidate is kept"
    counts = f"{progress.promotions} promoted, {progress.rollbacks} rolled back"
    bounty = "no bounty yet" if progress.best_correct is None else format_bounty(progress)
    sick = f", {progress.non_finite} not finite" if progress.non_finite else ""
    # The bounty's loop is left out where something else needs the room: it is mostly the LKG's.
    if progress.best_correct is not None and len(f"{counts}{sick}" + (f"   {bounty}" if lines == 2 else "")) > width:
        bounty = f"bounty {percent(progress.bounty)}"
    if lines == 4 and len(f"{counts}{sick}") > width:
        bounty, sick = f"{bounty}{sick}", ""
    if lines == 1:
        text = first
        for more in (f"{counts}{sick}", row):
            if len(text) + len(more) + 3 <= width:
                text = Text.assemble(text, "   ", more)
    elif lines == 2:
        text = Text.assemble(first, f"   {row}\n{counts}{sick}   {bounty}")
    else:
        text = Text.assemble(first, f"\n{row}\n{counts}{sick}\n{bounty}")
    text.no_wrap = True
    return text


def architecture(state: RunState, height: int, options: DisplayOptions) -> RenderableType:
    """Draw a table of the network's layers, and below it the newest messages."""
    event = state.started
    assert event is not None
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("layers")
    table.add_column("units", justify="right")
    table.add_column("parameters", justify="right")
    rows = [(block.name, f"{block.units:,}", f"{block.parameters:,}") for block in event.blocks]
    room = max(height - 2 - min(len(state.messages), 2), 1)
    if len(rows) > room:
        rows = [*rows[: room - 1], (f"{len(rows) - room + 1} more", "", "")]
    for row in rows:
        table.add_row(*map(Text, row))
    table.add_row("all", "", f"{event.parameters:,}", style="bold")
    messages = [
        Text(message, style="dim", no_wrap=True, overflow=options.overflow) for message in list(state.messages)[:2]
    ]
    return Group(table, *messages)
