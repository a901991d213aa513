"""The dashboard's picture: a pure function of the state, the size and the clock."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.layout import Layout
from rich.panel import Panel
from rich.text import Text

from psa_tui.views.chart import chart
from psa_tui.views.display import DisplayOptions
from psa_tui.views.footer import footer, keys_help
from psa_tui.views.log import log, log_title
from psa_tui.views.network_map import ablations_of, map_title, network_map
from psa_tui.views.panels import architecture, header, lkg, progress_bars, title
from psa_tui.views.state import RunState

FULL_SIZE = (120, 38)
COMPACT_SIZE = (80, 24)


def render(state: RunState, width: int, height: int, now: float, options: DisplayOptions) -> RenderableType:
    """Draw ``state`` at ``now`` in ``width`` x ``height`` characters.

    From 120x38 on everything has its panel; from 80x24 on the same, closer together; below that only what fits.
    """
    if state.started is None:
        return Layout(Text("loading"))
    if options.help:
        return _frame(keys_help(state.mode, options), "keys", options)
    if width >= FULL_SIZE[0] and height >= FULL_SIZE[1]:
        return _full(state, width, height, now, options)
    if width >= COMPACT_SIZE[0] and height >= COMPACT_SIZE[1]:
        return _compact(state, width, height, now, options)
    return _small(state, width, height, now, options)


def _full(state: RunState, width: int, height: int, now: float, options: DisplayOptions) -> Layout:
    left = width * 2 // 3
    right = width - left
    log_height = max(10, (height - 11) * 2 // 5)
    middle = height - 10 - log_height
    whole = Layout()
    whole.split_column(
        Layout(_frame(header(state, width - 4, now), title(state, width - 6), options), size=3),
        Layout(name="numbers", size=6),
        Layout(name="pictures", size=middle),
        Layout(name="logs", size=log_height),
        Layout(footer(state, width, options), size=1),
    )
    whole["numbers"].split_row(
        Layout(_frame(progress_bars(state, left - 4, now, options), "progress", options), size=left),
        Layout(_frame(lkg(state, right - 4), "last known good (LKG)", options), size=right),
    )
    accuracy = chart(state, left - 4, middle - 2, options.glyphs)
    network = network_map(ablations_of(state), right - 4, middle - 2, options.glyphs)
    whole["pictures"].split_row(
        Layout(_frame(accuracy, "validation accuracy by meta-loop", options), size=left),
        Layout(_frame(network, map_title(state, "network: ablations", right - 4), options), size=right),
    )
    whole["logs"].split_row(
        Layout(_frame(log(state, left - 4, log_height - 2, options), log_title(options), options), size=left),
        Layout(_frame(architecture(state, log_height - 2, options), "architecture", options), size=right),
    )
    return whole


def _compact(state: RunState, width: int, height: int, now: float, options: DisplayOptions) -> Layout:
    log_height = max(7, (height - 10) * 2 // 5)
    chart_height = height - 9 - log_height
    right = 26
    accuracy = chart(state, width, chart_height, options.glyphs)
    whole = Layout()
    whole.split_column(
        Layout(Group(_bold_line(title(state, width), width, options), header(state, width, now)), size=2),
        Layout(progress_bars(state, width, now, options, lines=2), size=2),
        Layout(lkg(state, width, lines=2), size=2),
        Layout(_ruled("validation accuracy", accuracy, width, options), size=chart_height + 1),
        Layout(name="logs", size=log_height + 1),
        Layout(footer(state, width, options), size=1),
    )
    left = width - right - 1
    network = network_map(ablations_of(state), right, log_height, options.glyphs)
    whole["logs"].split_row(
        Layout(_ruled(log_title(options), log(state, left, log_height, options), left, options), size=left),
        Layout(Text(" "), size=1),
        Layout(_ruled(map_title(state, "network", right - 4), network, right, options), size=right),
    )
    return whole


def _small(state: RunState, width: int, height: int, now: float, options: DisplayOptions) -> Layout:
    whole = Layout()
    whole.split_column(
        Layout(progress_bars(state, width, now, options, lines=2), size=2),
        Layout(lkg(state, width, lines=2), size=2),
        Layout(log(state, width, max(height - 5, 1), options)),
        Layout(footer(state, width, options), size=1),
    )
    return whole


def _frame(content: RenderableType, name: str, options: DisplayOptions) -> Panel:
    return Panel(content, title=Text(name), title_align="left", box=options.glyphs.frame, border_style="dim")


def _ruled(name: str, content: RenderableType, width: int, options: DisplayOptions) -> Group:
    line = f"{options.glyphs.majority * 2} {name} "
    return Group(Text(line + options.glyphs.majority * (width - len(line)), style="dim", no_wrap=True), content)


def _bold_line(line: str, width: int, options: DisplayOptions) -> Text:
    text = Text(line, style="bold", no_wrap=True)
    text.truncate(width, overflow=options.overflow)
    return text
