"""One run, or one trial of a study: its curve, its facts and its loops."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np
from rich.console import Group as Stacked
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Container, VerticalScroll
from textual.events import Click, MouseEvent, MouseScrollDown, MouseScrollUp
from textual.widgets import DataTable, Static

from psa_tui.formatting import points, printable
from psa_tui.method.events import Verdict
from psa_tui.networks import Network
from psa_tui.storage.study_rows import TrialRow
from psa_tui.views.braille import LABEL_WIDTH
from psa_tui.views.display import ChartWindow
from psa_tui.views.text import format_units
from psa_tui.views.workbench import signs
from psa_tui.views.workbench.ablations_screen import AblationsScreen
from psa_tui.views.workbench.base import WorkbenchScreen, key
from psa_tui.views.workbench.commands import Words, ablations_words, follow_words, open_words, resume_words, trial_words
from psa_tui.views.workbench.entries import Entry, Results, accuracy
from psa_tui.views.workbench.palette import palette_of
from psa_tui.views.workbench.subjects import Subject, draw_curve, read_run, read_trial
from psa_tui.views.workbench.widgets import CommandLine, Heading, KeyLine, facts_table

_MOST_LOOPS = 500
"""Loops that the log lists, the latest: a table of a million would take minutes."""
_UNITS = 40
_EVERY_S = 2.0
_WIDE, _HIGH = 120, 20


class CurveScreen(WorkbenchScreen):
    """A subject; what it is, and where it is read, a subclass says."""

    SIGNS = signs.CURVE
    IN_HEADING: ClassVar[Sequence[str]] = ("architecture", "mode", "meta-loops", "bounty", "test accuracy")
    """The facts that stand in the heading, as many as fit."""
    BINDINGS: ClassVar = [
        key("escape,backspace", "back", "back", "Back", "Esc"),
        key("w", "why", "why", "What helps and what harms: ablations by layer and unit"),
        key("tab", "tab", "facts/loops", "From the facts to the loops and back", "Tab"),
        *(
            replace(binding, priority=True)
            for binding in (
                key("left", "move_cursor(-1)", "", "Read out the loop before", "←", show=False),
                key("right", "move_cursor(1)", "", "Read out the next loop", "→", show=False),
                key("plus,equals_sign", "zoom(0.5)", "", "Show half as many loops", "+", show=False),
                key("minus", "zoom(2.0)", "", "Show twice as many loops", "-", show=False),
                key("left_square_bracket", "pan(-0.25)", "", "Show earlier loops", "[", show=False),
                key("right_square_bracket", "pan(0.25)", "", "Show later loops", "]", show=False),
                key("0", "whole", "", "Show all loops", "0", show=False),
            )
        ),
    ]

    def __init__(self) -> None:
        """Nothing is read before the first frame."""
        super().__init__()
        self.subject: Subject | None = None
        self._window = ChartWindow()

    def compose(self) -> ComposeResult:
        """Yield heading, curve, tabs, command and keys."""
        yield Heading()
        yield Static(id="curve")
        with Container(id="below"):
            with VerticalScroll(id="facts"):
                yield Static(id="facts-text")
            yield DataTable[Text](id="log", cursor_type="row", zebra_stripes=True)
        yield CommandLine()
        yield KeyLine()

    def on_mount(self) -> None:
        """Read the subject."""
        log: DataTable[Text] = self.query_one("#log", DataTable)
        for label in ("loop", "acc. %", "verdict", "gain", "ablated"):
            is_number = label in ("loop", "acc. %", "gain")
            log.add_column(Text(label, justify="right" if is_number else "left"), key=label)
        self.query_one(CommandLine).say(*self.commands())
        self.app.theme_changed_signal.subscribe(self, lambda _: self.draw())
        self.reload_every(_EVERY_S)

    def commands(self) -> Sequence[tuple[str, Words | None]]:
        """Return the commands that are shown."""
        return ()

    def take(self, found: Subject) -> None:
        """Draw the subject if it changed."""
        if self.subject is not None and (found.facts, len(found.loops)) == (
            self.subject.facts,
            len(self.subject.loops),
        ):
            return
        self.subject = found
        self.draw()
        log: DataTable[Text] = self.query_one("#log", DataTable)
        log.clear()
        for cells in log_rows(found):
            log.add_row(*cells)

    def on_resize(self) -> None:
        """Draw for the new size; facts and loops stand side by side where both have room."""
        self.query_one("#below").set_class(self.size.width >= _WIDE, "-wide")
        self.set_class(self.size.height < _HIGH, "-low")
        self.call_after_refresh(self.draw)

    def draw(self) -> None:
        """Draw the curve and the facts."""
        subject, curve = self.subject, self.query_one("#curve", Static)
        if subject is None or not curve.size.width:
            return
        palette = palette_of(is_dark=self.app.current_theme.dark)
        size = curve.size
        chart, below = draw_curve(subject, size.width - 2, size.height - 1, palette, self._window)
        if self._window.cursor is not None:
            below = read_out(subject, self._window.cursor)
        below.truncate(size.width - 2, overflow="ellipsis")
        curve.update(Stacked(chart, below))
        lines = [facts_table(subject.facts, palette.muted)]
        sessions = Text("\n" + "\n".join(printable(line) for line in subject.sessions))
        self.query_one("#facts-text", Static).update(Stacked(*lines, sessions))
        self.query_one(Heading).say(subject.title, *subject.heading(self.IN_HEADING))

    def action_back(self) -> None:
        """Go back to the screen below."""
        self.app.pop_screen()

    def action_why(self) -> None:
        """Show what its ablations did."""
        if self.subject is not None:
            self.app.push_screen(AblationsScreen(self.subject, self.words_of("why")))

    def action_move_cursor(self, steps: int) -> None:
        """Read out the loop ``steps`` columns of the chart further on."""

        def moved(window: ChartWindow, first: int, last: int) -> ChartWindow:
            start, end = window.bounds(first, last)
            step = max((end - start + 1) // max(self.query_one("#curve").size.width, 1), 1)
            before = last + 1 if window.cursor is None else window.cursor
            return window.with_cursor(first, last, before + steps * step)

        self._change(moved)

    def action_zoom(self, factor: float) -> None:
        """Show ``factor`` times as many loops."""
        self._change(lambda window, first, last: window.zoomed(first, last, factor))

    def action_pan(self, part: float) -> None:
        """Show earlier or later loops, by that part of those shown."""
        self._change(lambda window, first, last: window.panned(first, last, part))

    def action_whole(self) -> None:
        """Show all loops, and none in particular."""
        self._change(lambda window, first, last: ChartWindow())

    def on_click(self, event: Click) -> None:
        """Read out the loop that was pointed at in the curve."""
        curve = self.query_one("#curve", Static)
        columns = curve.size.width - 2 - LABEL_WIDTH - 2
        column = event.screen_x - curve.content_region.x - 1
        if self._is_on_curve(event) and 0 <= column < columns:

            def pointed(window: ChartWindow, first: int, last: int) -> ChartWindow:
                start, end = window.bounds(first, last)
                return window.with_cursor(first, last, round(start + (end - start) * (column + 0.5) / columns))

            self._change(pointed)

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        """Zoom into the curve."""
        self._wheel(event, 0.5)

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        """Zoom out of the curve."""
        self._wheel(event, 2.0)

    def _wheel(self, event: MouseEvent, factor: float) -> None:
        if self._is_on_curve(event):
            self.action_zoom(factor)

    def _is_on_curve(self, event: MouseEvent) -> bool:
        widget, _ = self.get_widget_at(event.screen_x, event.screen_y)
        return widget.id == "curve"

    def _change(self, change: Callable[[ChartWindow, int, int], ChartWindow]) -> None:
        if self.subject is not None and len(loops := self.subject.curve.loops):
            self._window = change(self._window, int(loops[0]), int(loops[-1]))
            self.draw()

    def action_tab(self) -> None:
        """Go from the facts to the loops, or back."""
        self.toggle_class("-loops")
        self.query_one("#log" if self.has_class("-loops") else "#facts").focus()
        self.call_after_refresh(self.draw)


class RunScreen(CurveScreen):
    """A run."""

    BINDINGS: ClassVar = [
        key("f", "follow", "follow", "Follow the run on its live screen"),
        key("r", "resume", "resume", "Resume: go on with the run"),
    ]

    def __init__(self, results: Results, entry: Entry) -> None:
        """Show the run of ``entry``."""
        super().__init__()
        self._results, self._entry = results, entry

    def commands(self) -> Sequence[tuple[str, Words | None]]:
        """Return the command that shows it, and those of the keys."""
        return ("", open_words(self._entry)), ("f", self.words_of("follow")), ("r", self.words_of("resume"))

    def words_of(self, action: str) -> Words | None:
        """Return the command of an action."""
        if action == "follow":
            return follow_words(self._entry)
        if action == "why":
            return ablations_words(self._entry)
        return resume_words(self._entry, self._results.folder) if action == "resume" else None

    def load(self) -> Subject:
        """Return the run as it stands."""
        entries = {entry.key: entry for entry in self._results.read()}
        self._entry = entries.get(self._entry.key, self._entry)
        return read_run(self._results.folder, self._entry.name, self._entry.version)

    def action_follow(self) -> None:
        """Follow the run."""
        self.workbench.follow(self._entry)

    def action_resume(self) -> None:
        """Go on with it."""
        self.workbench.resume(self._entry)


class TrialScreen(CurveScreen):
    """A trial of a study, whose title has shape and mode."""

    IN_HEADING = ("bounty", "test accuracy", "meta-loops", "seed")

    def __init__(self, results: Results, study: str, trial: TrialRow, network: Network | None) -> None:
        """Show ``trial``, whose ``network`` is None where that is not known here."""
        super().__init__()
        self._results, self._study, self._trial, self._network = results, study, trial, network

    def commands(self) -> Sequence[tuple[str, Words | None]]:
        """Return the command that says how it is trained alone."""
        trial = self._trial
        return (("", trial_words(self._study, trial.architecture, trial.mode, trial.trial)),)

    def load(self) -> Subject:
        """Return the trial as it stands."""
        return read_trial(self._results.folder, self._study, self._trial, self._network)


def read_out(subject: Subject, cursor: int) -> Text:
    """Say of the loop nearest to ``cursor`` what the log would."""
    place = min(int(np.searchsorted(subject.curve.loops, cursor)), len(subject.loops) - 1)
    number, percentage, *rest = (cell.plain for cell in _log_row(subject, place))
    return Text("  ".join(filter(None, [f"loop {number}: {percentage} %", *rest])), no_wrap=True)


def log_rows(subject: Subject) -> Iterator[list[Text]]:
    """Go through the latest loops, the newest first, as cells of the log."""
    first = max(len(subject.loops) - _MOST_LOOPS, 0)
    for place in range(len(subject.loops) - 1, first - 1, -1):
        yield _log_row(subject, place)
    if first:
        rest = Text(f"{first:,} earlier ones", "dim")
        yield [Text("...", justify="right"), Text(), Text(), Text(), rest]


def _log_row(subject: Subject, place: int) -> list[Text]:
    loop = subject.loops[place]
    before = subject.curve.lkg[place - 1] if place else float("nan")
    gain = "" if before != before else points(loop.validation_accuracy - before / 100)
    is_promoted = loop.verdict == Verdict.PROMOTED
    style = "bold green" if is_promoted else ""
    verdict = "promoted" if is_promoted else "rolled back" if loop.finite else "not finite"
    units = format_units(loop.ablations, subject.names, _UNITS) if loop.ablations else "-"
    return [
        Text(f"{loop.meta_loop:,}", style, justify="right"),
        Text(accuracy(loop.validation_accuracy), style, justify="right"),
        Text(verdict, style),
        Text(gain, style, justify="right"),
        Text(printable(units)),
    ]
