"""The study's picture: a pure function of the state, the size and the clock."""

from __future__ import annotations

import math
from collections.abc import Iterator
from statistics import fmean

from rich.console import Group, RenderableType
from rich.layout import Layout
from rich.text import Text

from psa_tui.formatting import count, duration, network_words
from psa_tui.views.display import DisplayOptions
from psa_tui.views.glyphs import Glyphs
from psa_tui.views.study.design_map import design_map, legend
from psa_tui.views.study.state import GroupStatus, StudyState, Task, format_trials
from psa_tui.views.study.text import format_rates
from psa_tui.views.study.trials import STRIP_WIDTH, trials_chart, trials_strips
from psa_tui.views.wrapping import broken

_WIDE = 120
_ROOMY = 50
"""Columns from which on a worker's modes have lines of their own."""
_SHORTEST_BAR = 5
_LABEL = 8
"""Characters of a mode's name and a space, or more where a mode has a longer one."""
_LONGEST_LABEL = 26
_STRIP = 10
"""Characters of the strip of accuracies: one for every ten percent."""
_HELP = (
    "The map has one mark a shape: depth (hidden layers) upwards, width (neurons a layer) to the right, both on log "
    "axes. A digit is the best mean of a shape's modes, in tens of percent: 9 is 90 % and more.\n\n"
    "Beside it is what every worker trains, and how many of its trials have reached what: each character of the strip "
    "is ten percent of accuracy, from 0 to 100, the higher the more trials; then their mean and extremes.\n\n"
    "Throughput counts one trial's meta-loop as one; the plan is what this machine was measured to do.\n\n"
    "q or Ctrl-C commits what is done and leaves; the same command goes on."
)


def render(state: StudyState, width: int, height: int, now: float, options: DisplayOptions) -> RenderableType:
    """Draw ``state`` at ``now`` in ``width`` x ``height`` characters; without a map below 60x15."""
    if state.started is None:
        return Layout(Text("loading"))
    glyphs = options.glyphs
    if state.is_of_one_setting:
        return _of_one_setting(state, width, height, now, options)
    events = 3 if height < 38 else 8
    body = height - 4 - (events + 1) - 1
    if width < 60 or body < 6:
        return _stacked(
            Group(*_top(state, width, now, glyphs), _tasks(state, width, max(height - 5, 1), glyphs)),
            state,
            height,
            width,
        )
    right = 34 if width < _WIDE else 56
    left = width - right - 1
    whole = Layout()
    whole.split_column(
        Layout(Group(*_top(state, width, now, glyphs)), size=3),
        Layout(name="body", size=body + 1),
        Layout(
            Group(_ruled("what happened, newest first", width, glyphs), _messages(state, width, events, options)),
            size=events + 1,
        ),
        Layout(_footer(state, width), size=1),
    )
    whole["body"].split_row(
        Layout(
            Group(
                _ruled("depth up, width right", left, glyphs),
                design_map(state, left, body - 1, glyphs),
                _line(legend(left, glyphs), left, "dim"),
            ),
            size=left,
        ),
        Layout(Text(" "), size=1),
        Layout(Group(_ruled("workers", right, glyphs), _tasks(state, right, body, glyphs)), size=right),
    )
    return whole


def study_help() -> Text:
    """Explain the picture and the keys."""
    return Text(_HELP)


def _of_one_setting(state: StudyState, width: int, height: int, now: float, options: DisplayOptions) -> RenderableType:
    glyphs, room = options.glyphs, height - 6
    trials = -(-state.trials // max(width // STRIP_WIDTH, 1))
    strips = min(trials, room // 2) if room >= 12 else max(room, 1)
    parts: list[RenderableType] = [*_top(state, width, now, glyphs)]
    if room >= 12:
        parts += [_ruled("bounty by meta-loop", width, glyphs), trials_chart(state, width, room - strips, glyphs)]
    parts += [_ruled("trials, best first", width, glyphs), trials_strips(state, width, strips, glyphs)]
    return _stacked(Group(*parts), state, height, width)


def _stacked(content: RenderableType, state: StudyState, height: int, width: int) -> Layout:
    whole = Layout()
    whole.split_column(Layout(content, size=max(height - 1, 1)), Layout(_footer(state, width), size=1))
    return whole


def _top(state: StudyState, width: int, now: float, glyphs: Glyphs) -> Iterator[Text]:
    event = state.started
    assert event is not None
    quick = "QUICK, not a reproduction: " if event.quick else ""
    cells = f"{count(len(event.shapes), 'shape')} x {count(len(event.modes), 'mode')}"
    if state.is_of_one_setting:
        cells = f"{event.shapes[0]} {event.modes[0]}"
    size = f"{network_words(event.network, cells)} x {count(event.trials, 'trial')} x {count(event.meta_loops, 'loop')}"
    clock = duration(now - state.started_at)
    title = f"{quick}study {event.study}"
    for fact in (size, event.dataset, f"seed {event.seed}"):
        if len(title) + 2 + len(fact) + 1 + len(clock) <= width:
            title += f"  {fact}"
    yield Text(f"{title[: width - len(clock) - 1]:<{width - len(clock)}}{clock}", style="bold", no_wrap=True)
    yield _progress(state, width, now, glyphs)
    yield _line(_throughput(state), width)


def _progress(state: StudyState, width: int, now: float, glyphs: Glyphs) -> Text:
    complete, failed, total = state.trial_counts
    part = state.share_done
    counts = f"{complete:,}/{total:,} trials" + (f", {failed:,} failed" if failed else "")
    if state.finished is not None:
        when = str(state.finished.outcome)
    else:
        left = state.seconds_left(now)
        when = "time left unknown yet" if left is None else f"{duration(left)} left"
    note = f" {100 * part:.0f} % of the work  {counts}  {when}"
    if len(note) > width - _SHORTEST_BAR:
        note = f" {100 * part:.0f} %  {when}"
    room = max(width - len(note), _SHORTEST_BAR)
    filled = round(room * part)
    text = Text(no_wrap=True)
    text.append(glyphs.bar * filled, "green")
    text.append(glyphs.bar_rest * (room - filled), "dim")
    text.append(note)
    text.truncate(width)
    return text


def _throughput(state: StudyState) -> str:
    statuses = [state.status(shape) for shape in state.groups]
    failed = statuses.count(GroupStatus.FAILED)
    shapes = f"{statuses.count(GroupStatus.DONE)} of {count(len(statuses), 'shape')} done" + (
        f", {failed} failed" if failed else ""
    )
    if state.rates is None:
        return shapes
    return f"{format_rates(*state.rates)}   {shapes}"


def _tasks(state: StudyState, width: int, height: int, glyphs: Glyphs) -> Text:
    """Say what each worker is at, with a line a mode where there is room."""
    event = state.started
    assert event is not None
    tasks = sorted(state.tasks.items(), key=lambda item: (len(item[0]), item[0]))
    label = min(max([_LABEL, *(len(mode) + 1 for mode in event.modes)]), _LONGEST_LABEL)
    lines: list[Text] = []
    for number, (worker, task) in enumerate(tasks, start=1):
        lines += [_line(text, width) for text in _task_lines(worker, task, event.meta_loops, width, label, glyphs)]
        # The first workers have a line a mode, as long as the others have their two.
        if width >= _ROOMY and len(lines) + len(event.modes) + 2 * (len(tasks) - number) <= height:
            lines += [
                _line(f"  {mode[: label - 1]:<{label}}{_spread(bounties, glyphs)}", width)
                for mode, bounties in zip(event.modes, task.bounties, strict=False)
            ]
    if not lines:
        lines = [Text("nothing is running", style="dim")]
    if len(lines) > height:
        lines = [*lines[: height - 1], Text(f"and {len(tasks)} workers in all", style="dim")]
    return Text("\n").join(lines)


def _task_lines(worker: str, task: Task, meta_loops: int, width: int, label: int, glyphs: Glyphs) -> Iterator[str]:
    everyone = tuple(bounty for mode in task.bounties for bounty in mode)
    name = f"{worker}  {task.shape}  {format_trials(task.trials)}"
    loop = f"{task.meta_loop}/{meta_loops}"
    if width >= _ROOMY:
        yield f"{name:<{width - 7 - len(loop)}}  loop {loop}"
        yield f"  {'all':<{label}}{_spread(everyone, glyphs)}"
    else:
        yield name
        yield f"{loop:>7} {_spread(everyone, glyphs)}"


def _spread(bounties: tuple[float | None, ...], glyphs: Glyphs) -> str:
    """Draw members' accuracies: a strip from 0 to 100 %, their mean, and the extremes, in percent."""
    reached = [bounty for bounty in bounties if bounty is not None]
    if not reached:
        return f"|{' ' * _STRIP}| no LKG yet"
    counts = [0] * _STRIP
    for bounty in reached:
        counts[min(int(bounty * _STRIP), _STRIP - 1)] += 1
    top = len(glyphs.strip) - 1
    strip = "".join(glyphs.strip[-(-count * top // max(counts))] for count in counts)
    # Outwards, so that the mean lies between them.
    low, high = math.floor(round(100 * min(reached), 6)), math.ceil(round(100 * max(reached), 6))
    return f"|{strip}| {100 * fmean(reached):.1f} ({low}-{high})"


def _messages(state: StudyState, width: int, height: int, options: DisplayOptions) -> Text:
    shown = list(state.messages)[options.scroll : options.scroll + height]
    lines = [line for message in shown for line in broken(message, width)][:height]
    return Text("\n").join([_line(line, width) for line in lines]) if lines else Text("nothing yet", style="dim")


def _footer(state: StudyState, width: int) -> Text:
    if state.finished is not None:
        reason = f" ({state.finished.reason})" if state.finished.reason else ""
        return _line(f" {state.finished.outcome}{reason} ", width, "reverse")
    return _line("q stop now  up, down scroll  ? help", width, "dim")


def _ruled(title: str, width: int, glyphs: Glyphs) -> Text:
    line = f"{glyphs.rule * 2} {title} "
    return _line(line + glyphs.rule * (width - len(line)), width, "dim")


def _line(content: str, width: int, style: str = "") -> Text:
    text = Text(content, style=style, no_wrap=True)
    text.truncate(width)
    return text
