"""The dashboard's picture: a pure function of the state, the size and the clock."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Group, OverflowMethod, RenderableType
from rich.layout import Layout
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from psa_tui.formatting import duration, percent, points
from psa_tui.method.events import ControlChanged, MetaLoopFinished, Verdict
from psa_tui.networks.mlp import parse_architecture
from psa_tui.views.chart import chart
from psa_tui.views.glyphs import ASCII, UNICODE, Glyphs
from psa_tui.views.network import network_map
from psa_tui.views.state import RunState
from psa_tui.views.text import format_neuron, format_verdict

FULL_SIZE = (120, 38)
COMPACT_SIZE = (80, 24)
READ_ONLY_KEYS = (
    ("q", "leave; the run goes on"),
    ("up, down", "scroll the ablation log"),
    ("?", "this help"),
)
KEYS = (
    ("space", "pause, go on"),
    ("m", "next mode, from the next loop on"),
    ("s", "stop after this loop"),
    ("q", "stop now"),
    ("l", "log level"),
    ("up, down", "scroll the ablation log"),
    ("?", "this help"),
)


@dataclass(frozen=True, slots=True)
class Look:
    """What the person at the screen chose: it changes the picture, not the run."""

    scroll: int = 0
    """Loops scrolled back in the ablation log."""
    help: bool = False
    ascii: bool = False
    read_only: bool = False
    """The run goes on in another process: its epochs are not known, and no key reaches it."""

    @property
    def glyphs(self) -> Glyphs:
        """The characters to draw with."""
        return ASCII if self.ascii else UNICODE

    @property
    def overflow(self) -> OverflowMethod:
        """How a line that is too long ends."""
        return "crop" if self.ascii else "ellipsis"


def render(state: RunState, width: int, height: int, now: float, look: Look = Look()) -> RenderableType:
    """The picture of ``state`` at ``now`` in ``width`` x ``height`` characters.

    From 120x38 on everything has its panel; from 80x24 on the same, closer together; below that only what fits.
    """
    if state.started is None:
        return Layout(Text("loading"))
    if look.help:
        return _frame(_help(look), "keys", look)
    if width >= FULL_SIZE[0] and height >= FULL_SIZE[1]:
        return _full(state, width, height, now, look)
    if width >= COMPACT_SIZE[0] and height >= COMPACT_SIZE[1]:
        return _compact(state, width, height, now, look)
    return _small(state, width, height, now, look)


def _full(state: RunState, width: int, height: int, now: float, look: Look) -> Layout:
    left = width * 2 // 3
    right = width - left
    log_height = max(10, (height - 11) * 2 // 5)
    middle = height - 10 - log_height
    whole = Layout()
    whole.split_column(
        Layout(_frame(_header(state, width - 4, now), _title(state), look), size=3),
        Layout(name="numbers", size=6),
        Layout(name="pictures", size=middle),
        Layout(name="logs", size=log_height),
        Layout(_footer(state, width, look), size=1),
    )
    whole["numbers"].split_row(
        Layout(_frame(_progress(state, left - 4, now, look), "progress", look), size=left),
        Layout(_frame(_lkg(state, right - 4), "last known good (LKG)", look), size=right),
    )
    whole["pictures"].split_row(
        Layout(
            _frame(chart(state, left - 4, middle - 2, look.glyphs), "validation accuracy by meta-loop", look), size=left
        ),
        Layout(_frame(network_map(state, right - 4, middle - 2, look.glyphs), "network: ablations", look), size=right),
    )
    whole["logs"].split_row(
        Layout(_frame(_log(state, left - 4, log_height - 2, look), _log_title(look), look), size=left),
        Layout(_frame(_architecture(state, log_height - 2, look), "architecture", look), size=right),
    )
    return whole


def _compact(state: RunState, width: int, height: int, now: float, look: Look) -> Layout:
    log_height = max(7, (height - 10) * 2 // 5)
    chart_height = height - 9 - log_height
    right = 26
    accuracy = chart(state, width, chart_height, look.glyphs)
    whole = Layout()
    whole.split_column(
        Layout(Group(_bold_line(_title(state), width, look), _header(state, width, now)), size=2),
        Layout(_progress(state, width, now, look, lines=2), size=2),
        Layout(_lkg(state, width, lines=2), size=2),
        Layout(
            _ruled("validation accuracy", accuracy, width, look),
            size=chart_height + 1,
        ),
        Layout(name="logs", size=log_height + 1),
        Layout(_footer(state, width, look), size=1),
    )
    left = width - right - 1
    whole["logs"].split_row(
        Layout(_ruled(_log_title(look), _log(state, left, log_height, look), left, look), size=left),
        Layout(Text(" "), size=1),
        Layout(_ruled("network", network_map(state, right, log_height, look.glyphs), right, look), size=right),
    )
    return whole


def _small(state: RunState, width: int, height: int, now: float, look: Look) -> Layout:
    whole = Layout()
    whole.split_column(
        Layout(_progress(state, width, now, look, lines=2), size=2),
        Layout(_lkg(state, width, lines=2), size=2),
        Layout(_log(state, width, max(height - 5, 1), look)),
        Layout(_footer(state, width, look), size=1),
    )
    return whole


def _frame(content: RenderableType, title: str, look: Look) -> Panel:
    return Panel(content, title=Text(title), title_align="left", box=look.glyphs.frame, border_style="dim")


def _ruled(title: str, content: RenderableType, width: int, look: Look) -> Group:
    line = f"{look.glyphs.majority * 2} {title} "
    return Group(Text(line + look.glyphs.majority * (width - len(line)), style="dim", no_wrap=True), content)


def _bold_line(line: str, width: int, look: Look) -> Text:
    text = Text(line, style="bold", no_wrap=True)
    text.truncate(width, overflow=look.overflow)
    return text


def _title(state: RunState) -> str:
    assert state.started is not None
    return f"PSA {state.started.architecture}  mode {state.mode}  {state.started.dataset}  run {state.started.run}"


def _header(state: RunState, width: int, now: float) -> Text:
    event = state.started
    assert event is not None
    threads = "1 thread" if event.threads == 1 else f"{event.threads} threads"
    facts = f"{event.parameters:,} parameters  {event.device}, {threads}  seed {event.seed}"
    extra = f"  lr {event.learning_rate:g}  batch {event.batch_size}"
    clock = duration((now if state.finished is None else state.finished_at) - state.started_at)
    line = facts + extra if len(facts + extra) + len(clock) + 2 <= width else facts
    return Text(f"{line[: width - len(clock) - 1]:<{width - len(clock)}}{clock}", no_wrap=True)


def _progress(state: RunState, width: int, now: float, look: Look, lines: int = 3) -> Group:
    event, progress = state.started, state.progress
    assert event is not None
    assert progress is not None
    done, last = progress.meta_loop, event.last_meta_loop
    if state.finished is not None:
        when = str(state.finished.outcome)
    else:
        left = state.seconds_left(now)
        when = "" if left is None else f"{duration(left)} left"
    images, total, loss, rate = 0, event.train_count, "", ""
    if state.epoch is not None:
        images, total = state.epoch.images, state.epoch.image_count
        loss = f"loss {state.epoch.loss:.4f}"
        rate = f"{images / state.epoch.seconds:,.0f} images/s" if state.epoch.seconds > 0 else ""
    # Without a third line of its own, the rate stands beside the loss where there is room for both.
    notes = 32 if lines == 2 and width >= COMPACT_SIZE[0] else 16
    if notes == 32:
        loss = f"{loss}  {rate}"
    ablating = "no ablation" if state.ablation is None else f"zeroed {format_neuron(state.ablation)}"
    speed = "" if state.loop_s is None else f"{state.loop_s:.2f} s/loop"
    epoch = _bar("epoch", images, total, f"{images * 100 // total} %", loss, width - notes, look)
    if look.read_only:
        epoch = _since_last_loop(state, now, width - notes, look)
        ablating = "its neuron shows when it ends" if state.mode.ablates and state.finished is None else ""
    shown = [
        _bar("meta-loop", done, last, f"{done}/{last}", when, width - notes, look),
        epoch,
        Text(f"{'':<11}{ablating:<34}{rate:<18}{speed}", no_wrap=True),
    ]
    return Group(*shown[:lines])


def _since_last_loop(state: RunState, now: float, width: int, look: Look) -> Text:
    """How long ago the last loop ended, beside what a loop takes: all that a history tells of the loop under way."""
    usual_s = state.loop_s
    if state.finished is not None:
        return Text("")
    if usual_s is None:
        return _bar("this loop", 0, 1, "", "", width, look)
    since_s = max(now - state.loop_started_at, 0.0)
    share = min(round(1000 * since_s / usual_s), 1000) if usual_s > 0 else 1000
    return _bar("this loop", share, 1000, f"{since_s:.1f} s", f"usually {usual_s:.2f} s", width, look)


def _bar(name: str, part: int, whole: int, count: str, note: str, width: int, look: Look) -> Text:
    """A bar and its count in ``width`` characters, and ``note`` behind them."""
    room = max(width - 11 - 14, 5)
    filled = room * part // max(whole, 1)
    text = Text(f"{name:<11}", no_wrap=True)
    text.append(look.glyphs.bar * filled, "green")
    text.append(look.glyphs.bar_rest * (room - filled), "dim")
    text.append(f"{count:>14}  {note}")
    return text


def _lkg(state: RunState, width: int, lines: int = 4) -> Text:
    progress = state.progress
    assert progress is not None
    if progress.lkg_correct is None:
        first = Text("no LKG yet: the first loop makes it", style="bold")
    else:
        first = Text(f"LKG {percent(progress.bounty)} since meta-loop {progress.lkg_meta_loop}", style="bold green")
    in_a_row = progress.rollbacks_in_a_row
    row = f"{in_a_row} rollback{'' if in_a_row == 1 else 's'} in a row"
    counts = f"{progress.promotions} promoted, {progress.rollbacks} rolled back"
    bounty = "no bounty yet"
    if progress.lkg_correct is not None:
        bounty = f"bounty {percent(progress.bounty)} at meta-loop {progress.lkg_meta_loop}"
    sick = f", {progress.non_finite} not finite" if progress.non_finite else ""
    # A bounty is always the LKG's, so its loop can be left out where something else needs the room.
    if progress.lkg_correct is not None and len(f"{counts}{sick}" + (f"   {bounty}" if lines == 2 else "")) > width:
        bounty = f"bounty {percent(progress.bounty)}"
    if lines == 4 and len(f"{counts}{sick}") > width:
        bounty, sick = f"{bounty}{sick}", ""
    if lines == 2:
        text = Text.assemble(first, f"   {row}\n{counts}{sick}   {bounty}")
    else:
        text = Text.assemble(first, f"\n{row}\n{counts}{sick}\n{bounty}")
    text.no_wrap = True
    return text


def _log_title(look: Look) -> str:
    return "ablations and verdicts, newest first" + (f" ({look.scroll} scrolled)" if look.scroll else "")


def _log(state: RunState, width: int, height: int, look: Look) -> Text:
    text = Text(no_wrap=True)
    rows = list(state.recent)[look.scroll : look.scroll + height]
    for index, loop in enumerate(rows):
        text.append("\n" if index else "")
        text.append_text(_log_line(loop, width, look))
    return text if rows else Text("nothing yet", style="dim")


def _log_line(loop: MetaLoopFinished, width: int, look: Look) -> Text:
    promoted = loop.verdict is Verdict.PROMOTED
    glyph = look.glyphs.promoted if promoted else look.glyphs.hit
    style = "green" if promoted else "red"
    line = Text(f"{loop.meta_loop:>5} ", no_wrap=True)
    if width >= 70:
        line.append(f"{glyph} {format_verdict(loop):<19}", style)
        line.append(f"{percent(loop.validation_accuracy):>8}  ")
        if loop.ablation is not None:
            zeroed = f"{loop.ablation.incoming} in" + (
                f", {loop.ablation.outgoing} out" if loop.ablation.outgoing else ""
            )
            line.append(format_neuron(loop.ablation))
            if len(line) + len(zeroed) + 3 <= width:
                line.append(f" ({zeroed})")
    else:
        verdict = "promoted" if promoted else "rolled back" if loop.finite else "not finite"
        gain = "" if loop.gain is None or not loop.finite else f" {points(loop.gain)}"
        line.append(f"{glyph} {verdict}{gain}", style)
        if loop.ablation is not None:
            line.pad_right(max(27 - len(line), 0))
            line.append(f" {format_neuron(loop.ablation)}")
    line.truncate(width, overflow=look.overflow)
    return line


def _architecture(state: RunState, height: int, look: Look) -> RenderableType:
    assert state.started is not None
    architecture = parse_architecture(state.started.architecture)
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("layers")
    table.add_column("neurons", justify="right")
    table.add_column("parameters", justify="right")
    rows = [
        (f"{group.count} hidden", f"{group.width:,}", f"{parameters:,}")
        for group, parameters in zip(architecture.groups, architecture.group_parameters(), strict=True)
    ]
    rows.append(("output", "10", f"{architecture.head_parameters:,}"))
    room = max(height - 3 - min(len(state.messages), 2), 1)
    if len(rows) > room:
        rows = [*rows[: room - 1], (f"{len(rows) - room + 1} more", "", "")]
    for row in rows:
        table.add_row(*row)
    table.add_row("all", "", f"{architecture.parameters:,}", style="bold")
    messages = [
        Text(message, style="dim", no_wrap=True, overflow=look.overflow) for message in list(state.messages)[:2]
    ]
    return Group(table, *messages)


def _footer(state: RunState, width: int, look: Look) -> Text:
    control = state.control
    asked = _asked(control)
    if look.read_only:
        text = _read_only_footer(state)
    elif state.finished is not None:
        text = Text(f" {state.finished.outcome} ", style="reverse")
    elif asked:
        # Where several things are asked for, there is no room for how to take them back.
        short = [one if len(asked) == 1 else one.partition(":")[0] for one in asked]
        text = Text(f" {'; '.join(short)} ", style="reverse")
    elif control is not None and state.messages and control.log_level != "warning":
        text = Text(f"log {control.log_level}: {state.messages[0]}")
    else:
        level = "" if control is None else f" ({control.log_level})"
        text = Text(f"space pause  m mode  s stop after loop  q stop now  l log{level}  ? help", style="dim")
    text.no_wrap = True
    text.truncate(width)
    return text


def _read_only_footer(state: RunState) -> Text:
    if state.finished is None:
        return Text("read-only: the run goes on in another process   q leave  up, down scroll  ? help", style="dim")
    reason = f" by {state.finished.reason}" if state.finished.reason else ""
    text = Text(f" {state.finished.outcome}{reason} ", style="reverse")
    return text.append("  read-only, shows a resume   q leave  ? help", "not reverse dim")


def _asked(control: ControlChanged | None) -> list[str]:
    """What somebody at the keyboard asked for and the run has not done yet."""
    asked = []
    if control is not None and control.paused:
        asked.append("PAUSED: space goes on")
    if control is not None and control.stop_after_loop:
        asked.append("stopping after this loop: s takes it back")
    if control is not None and control.next_mode is not None:
        asked.append(f"mode {control.next_mode} from the next loop on: m chooses another")
    return asked


def _help(look: Look) -> Text:
    lines = [f"{key:<10}{meaning}" for key, meaning in (READ_ONLY_KEYS if look.read_only else KEYS)]
    story = (
        "Every meta-loop clones the Last Known Good (LKG) weights, zeroes one random neuron (in the modes full, "
        "hidden and output), trains one epoch and measures the validation accuracy. A strictly better candidate "
        "is promoted and becomes the LKG; any other is rolled back, ablation and all."
    )
    return Text("\n".join([*lines, "", story]))
