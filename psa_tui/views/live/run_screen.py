"""The screen of a run: its panels, as many as fit, and what keys and mouse do."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.widgets import Input

from psa_tui.method.variants import describe_variant
from psa_tui.runs import controls
from psa_tui.views.display import DisplayOptions
from psa_tui.views.footer import facts, keys_help
from psa_tui.views.live import navigation
from psa_tui.views.live.arrangement import (
    FRAMED,
    LARGE,
    MEDIUM,
    OTHER_LINES,
    SMALL,
    arrange,
    at_first,
    column_widths,
    least_lines,
    size_class,
    toggled,
)
from psa_tui.views.live.base import LiveScreen
from psa_tui.views.live.dialogs import Page, Picker
from psa_tui.views.live.feed import Feed
from psa_tui.views.live.panel import Panel
from psa_tui.views.live.run_keys import KEYS
from psa_tui.views.live.run_panels import FOOTER, HEADER, NOTICES, NUMBERS, PICTURES, TITLE
from psa_tui.views.log import with_log_scrolled
from psa_tui.views.panels import notices
from psa_tui.views.state import RunState
from psa_tui.views.text import format_variant

CHARTS = ("accuracy", "loss", "gap")
_LEAST_SHARE, _GREATEST_SHARE = 0.3, 3.0
"""How small and how large the upper or left pictures may be made, beside their share at first."""


class RunScreen(LiveScreen):
    """Shows what ``feed`` knows of a run; keys that ask the run for something write into it."""

    BINDINGS: ClassVar[list[BindingType]] = KEYS
    AUTO_FOCUS = ""
    DEFAULT_CSS = """
    RunScreen { background: ansi_default; }
    RunScreen #title, RunScreen #header, RunScreen #footer { height: 1; }
    RunScreen #notices { height: auto; }
    RunScreen #numbers { height: auto; layout: vertical; }
    RunScreen #progress, RunScreen #lkg { height: 2; }
    RunScreen #pictures { height: 1fr; layout: grid; grid-size: 6; }
    RunScreen.small #header { display: none; }
    RunScreen.small #progress, RunScreen.small #lkg { height: 1; }
    RunScreen.large #title { display: none; }
    RunScreen.large #header { height: 3; }
    RunScreen.large #numbers { height: 6; layout: horizontal; }
    RunScreen.large #progress { height: 6; width: 2fr; }
    RunScreen.large #lkg { height: 6; width: 1fr; }
    RunScreen Input { dock: bottom; height: 1; border: none; padding: 0; display: none; }
    """

    def __init__(self, feed: Feed, options: DisplayOptions, clock: Callable[[], float] = time.monotonic) -> None:
        """``clock`` gives seconds, as that of ``feed`` does."""
        super().__init__(feed, options, clock)
        self._shown: tuple[str, ...] | None = None
        """The pictures that somebody chose, the newest last; None while nobody did."""
        self._seen: tuple[str, ...] = ()
        """Those for which there is room."""
        self._arranged_for: tuple[str, ...] = ()
        """The warnings for which there was room to be made."""
        self._shares = {"columns": 1.0, "rows": 1.0}

    @property
    def state(self) -> RunState:
        """What is known of the run."""
        assert isinstance(self.feed.state, RunState)
        return self.feed.state

    def compose(self) -> ComposeResult:
        """Build the panels, the pictures in the order in which they take their places."""
        for identity, drawing in (("title", TITLE), ("header", HEADER), ("notices", NOTICES)):
            yield Panel(identity, drawing, self._moment)
        for group, drawings in (("numbers", NUMBERS), ("pictures", PICTURES)):
            with Container(id=group):
                for identity, drawing in drawings.items():
                    yield Panel(identity, drawing, self._moment)
        yield Panel("footer", FOOTER, self._moment)
        yield Input(placeholder="show only lines with", compact=True, disabled=True)

    def redraw(self, *, only_clock: bool = False) -> None:
        """Draw all panels anew, or those that change with the time alone."""
        if self.is_mounted and self._notices != self._arranged_for:
            # A run that is resumed while somebody follows it may have others.
            self._arrange()
            return
        for panel in self.query(Panel):
            if not only_clock or panel.id in ("title", "header", "progress"):
                panel.refresh(layout=panel.id == "notices" and not only_clock)

    def on_mount(self) -> None:
        """Give the panels their places before they are seen."""
        self._arrange()

    def on_resize(self, event: events.Resize) -> None:
        """Give the panels their places."""
        self._arrange()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter the log as somebody types."""
        self._change(replace(self.options, log_filter=event.value, log_top=None))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Keep the filter."""
        self._close_input()

    def on_click(self, event: events.Click) -> None:
        """Read out the loop or unit that was pointed at."""
        panel = event.widget
        if not isinstance(panel, Panel):
            return
        left, top, width, height = panel.inner
        column, line = event.screen_x - panel.region.x - left, event.screen_y - panel.region.y - top
        if panel.id == "map":
            size = (width, height)
            self._change(navigation.with_unit_pointed_at(self.options, self.state, size, column, line))
        elif panel.id in CHARTS:
            self._change(navigation.with_loop_pointed_at(self.options, self.state, column, width))

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Scroll the log back, or zoom into the chart."""
        self._wheel(event, lines=-1, factor=0.5)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Scroll the log on, or zoom out of the chart."""
        self._wheel(event, lines=1, factor=2.0)

    def action_ask(self, command: str) -> None:
        """Ask the run for something, unless it is another process's."""
        if not self.options.read_only:
            self.feed.send(command)

    def action_leave(self) -> None:
        """End the run now; of another process's run only its screen."""
        self.feed.send(controls.QUIT)

    def action_pick_mode(self) -> None:
        """Let the mode of the next loops be chosen."""
        if self.options.read_only or self.state.finished is not None:
            return
        asked = self.state.control
        current = self.state.mode if asked is None or asked.next_mode is None else asked.next_mode
        choices = [(name, format_variant(describe_variant(name))) for name in controls.modes_to_choose(self.state.mode)]
        picker = Picker("Mode from the next loop on", choices, current)

        def picked(name: str | None) -> None:
            if name is not None and name != current:
                self.feed.send(f"{controls.MODE} {name}")

        self.app.push_screen(picker, picked)

    def action_help(self) -> None:
        """Explain keys and signs."""
        self.app.push_screen(Page("keys and signs", keys_help(self.state.mode, self.options)))

    def action_facts(self) -> None:
        """Show all that is known of the run, and every warning, in full."""
        self.app.push_screen(Page("the run", facts(self.state)))

    def action_scroll_log(self, lines: int) -> None:
        """Scroll the log by ``lines``."""
        self._change(with_log_scrolled(self.options, self.state, lines))

    def action_filter(self) -> None:
        """Let a filter of the log be typed, which is shown for that."""
        if "log" not in self._seen:
            self.action_show("log")
        box = self.query_one(Input)
        box.disabled, box.display = False, True
        box.focus()

    def action_move_cursor(self, steps: int) -> None:
        """Read out the loop ``steps`` dots of the chart further on."""
        columns = self.query_one("#accuracy", Panel).inner[2]
        self._change(navigation.with_cursor_moved(self.options, self.state, steps, columns))

    def action_pan(self, direction: int) -> None:
        """Show earlier or later loops."""
        self._change(navigation.panned(self.options, self.state, direction))

    def action_zoom(self, factor: float) -> None:
        """Show ``factor`` times as many loops."""
        self._change(navigation.zoomed(self.options, self.state, factor))

    def action_scale(self) -> None:
        """Show the worst candidates too, or where the run has settled."""
        self._change(navigation.rescaled(self.options))

    def action_measure(self) -> None:
        """Show another measure on the map."""
        self._change(navigation.with_next_measure(self.options))

    def action_move_unit(self, across: int, down: int) -> None:
        """Read out a neighbour of the unit on the map."""
        _, _, width, height = self.query_one("#map", Panel).inner
        self._change(navigation.with_unit_moved(self.options, self.state, (width, height), across, down))

    def action_reset(self) -> None:
        """Take back what was chosen for chart, map and log; a screen that holds one picture shows the chart again."""
        if self.query_one(Input).display:
            self._close_input()
        self.query_one(Input).value = ""
        self.options = navigation.reset(self.options)
        self._shown = None if self._size_class == SMALL else self._shown
        self._arrange()

    def action_share(self, direction: str, factor: float) -> None:
        """Make the upper pictures higher, or those at the left wider, or the other way round."""
        share = self._shares[direction] * factor
        self._shares[direction] = min(max(share, _LEAST_SHARE), _GREATEST_SHARE)
        self._arrange()

    def action_show(self, name: str) -> None:
        """Show or hide a picture; on a small screen, show it instead of the other."""
        self._shown = toggled(self._size_class, self._seen, name)
        self._arrange()

    @property
    def _size_class(self) -> str:
        return size_class(*self.app.size)

    @property
    def _notices(self) -> tuple[str, ...]:
        return () if self.state.started is None else self.state.started.notices

    def _notice_lines(self, size: str) -> int:
        """Return how many lines warnings take above the pictures: none where the chart would have no room beside them.

        On such a screen the last line says how they are read.
        """
        if not self._notices or size == SMALL:
            return 0
        width, height = self.app.size
        lines = len(notices(self.state).wrap(self.app.console, width))
        return lines if height - OTHER_LINES[size] - lines >= least_lines(size) else 0

    def _moment(self) -> tuple[RunState, float, DisplayOptions]:
        return self.state, self._clock(), self.options

    def _change(self, options: DisplayOptions) -> None:
        self.options = options
        self.redraw()

    def _close_input(self) -> None:
        box = self.query_one(Input)
        box.disabled, box.display = True, False
        self.set_focus(None)

    def _arrange(self) -> None:
        size, self._arranged_for = self._size_class, self._notices
        is_framed = size in FRAMED
        for name, is_it in ((SMALL, size == SMALL), (MEDIUM, size == MEDIUM), (LARGE, is_framed)):
            self.set_class(is_it, name)
        of_notices = self._notice_lines(size)
        self.query_one("#notices").display = of_notices > 0
        self.options = replace(self.options, hides_warnings=bool(self._notices) and not of_notices)
        shown = at_first(size, read_only=self.options.read_only) if self._shown is None else self._shown
        room = (self.app.size.width, self.app.size.height - OTHER_LINES[size] - of_notices)
        arrangement = arrange(size, shown, room, self._shares["rows"])
        self._seen = tuple(name for name in shown if name in arrangement.spans)
        for panel in self.query(Panel):
            panel.is_framed = is_framed and panel.id != "footer" and panel.id != "notices"
        for name in PICTURES:
            panel = self.query_one(f"#{name}", Panel)
            panel.display = name in arrangement.spans
            if panel.display:
                panel.styles.column_span, panel.styles.row_span = arrangement.spans[name]
        grid = self.query_one("#pictures").styles
        grid.grid_size_rows = len(arrangement.lines)
        # Whole lines and columns: fractions would leave some to nobody.
        grid.grid_rows = " ".join(["1fr", *map(str, arrangement.lines[1:])])
        widths = column_widths(self.app.size.width, self._shares["columns"])
        grid.grid_columns = " ".join(map(str, widths))
        self.redraw()

    def _wheel(self, event: events.MouseEvent, lines: int, factor: float) -> None:
        widget, _ = self.get_widget_at(event.screen_x, event.screen_y)
        if widget.id == "log":
            self.action_scroll_log(lines)
        elif widget.id in CHARTS:
            self.action_zoom(factor)
