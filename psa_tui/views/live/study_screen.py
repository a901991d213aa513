"""The screen of a study: its picture, and what keys do."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from psa_tui.runs import controls
from psa_tui.views.live.base import LiveScreen
from psa_tui.views.live.dialogs import Page
from psa_tui.views.live.panel import Drawing, Panel
from psa_tui.views.study.screen import render, study_help
from psa_tui.views.study.state import StudyState


class StudyScreen(LiveScreen):
    """Shows what ``feed`` knows of a study."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "leave", show=False),
        Binding("question_mark,f1", "help", show=False),
        Binding("up", "scroll_messages(-1)", show=False),
        Binding("down", "scroll_messages(1)", show=False),
    ]
    DEFAULT_CSS = "StudyScreen { background: ansi_default; }"

    @property
    def state(self) -> StudyState:
        """What is known of the study."""
        assert isinstance(self.feed.state, StudyState)
        return self.feed.state

    def compose(self) -> ComposeResult:
        """Build the one panel."""
        yield Panel("study", Drawing(render), lambda: (self.state, self._clock(), self.options))

    def redraw(self, *, only_clock: bool = False) -> None:
        """Draw anew."""
        for panel in self.query(Panel):
            panel.refresh()

    def action_leave(self) -> None:
        """Ask the study to stop."""
        self.feed.send(controls.QUIT)

    def action_help(self) -> None:
        """Explain the picture and the keys."""
        self.app.push_screen(Page("keys and signs", study_help()))

    def action_scroll_messages(self, lines: int) -> None:
        """Scroll what happened by ``lines``."""
        last = max(self.state.scrollable - 1, 0)
        self.options = replace(self.options, scroll=min(max(self.options.scroll + lines, 0), last))
        self.redraw()
