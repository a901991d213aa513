"""The first screen: the runs and studies of this folder in one table, and what can be done with them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import DataTable, Input

from psa_tui.formatting import printable
from psa_tui.views.workbench import signs
from psa_tui.views.workbench.base import WorkbenchScreen, key
from psa_tui.views.workbench.columns import COLUMNS
from psa_tui.views.workbench.commands import Words, delete_words, diff_words, follow_words, open_words, resume_words
from psa_tui.views.workbench.details import Details
from psa_tui.views.workbench.entries import Entry, Results, counted
from psa_tui.views.workbench.filter import Filter
from psa_tui.views.workbench.runs_table import RunsTable
from psa_tui.views.workbench.widgets import CommandLine, Heading, KeyLine

_EVERY_S = 2.0
"""How often the history is read again."""
_AGES_S = 20.0
WIDE = 100
"""From this width on there are details beside the table."""
_LEAST_DETAILS = 44
_EMPTY = "no run and no study here yet: n begins one"


class RunsScreen(WorkbenchScreen):
    """The table, the details beside it, and the filter above."""

    SIGNS = signs.TABLE
    BINDINGS: ClassVar = [
        # What is typed right behind it is for the filter: the key goes first, before the table gets what follows.
        replace(
            key("slash", "filter", "filter", "Filter: words that all must be there, such as mode:output", "/"),
            priority=True,
        ),
        key("space", "mark", "mark", "Mark the run, or take the mark away", "Space"),
        key("n", "new", "new", "Begin a new run from a form"),
        key("f", "follow", "follow", "Follow the run on its live screen"),
        key("r", "resume", "resume", "Resume: go on with the run, or the study"),
        key("o", "overlay", "overlay", "Overlay the marked runs in one chart, grouped by setting"),
        key("d", "diff", "diff", "Differences of two marked runs"),
        key("p", "parallel", "", "Parallel coordinates: settings and results of the runs shown, or marked", show=False),
        key("x", "delete", "delete", "Delete: move the run's checkpoint, or the study, into the trash"),
        key("u", "undo", "undo", "Undo the last delete"),
        key("e", "label", "label", "Label the run: its name, tags and note"),
        key("s", "sort", "sort", "Sort by the next column (or click its heading)"),
        key("S", "reverse", "", "Sort the other way round", show=False),
        key("escape", "clear", "", "Clear the filter, then the marks", "Esc", show=False),
    ]

    def __init__(self, results: Results) -> None:
        """Nothing is read before the first frame."""
        super().__init__()
        self.results = results
        self._problem = ""
        self._is_read = False
        self._filled_at = 0.0

    def compose(self) -> ComposeResult:
        """Yield heading, filter, table and details, command and keys."""
        yield Heading()
        yield Filter()
        with Horizontal(id="body"):
            with Vertical(id="list"):
                yield RunsTable()
            yield Details(self.results)
        yield CommandLine()
        yield KeyLine()

    def on_mount(self) -> None:
        """Read the history now and again."""
        self.table.focus()
        self.reload_every(_EVERY_S)
        self.app.theme_changed_signal.subscribe(self, lambda _: self._recolour())

    def _recolour(self) -> None:
        self._fill()
        self.details.draw()

    @property
    def table(self) -> RunsTable:
        """The table."""
        return self.query_one(RunsTable)

    @property
    def details(self) -> Details:
        """The pane beside it."""
        return self.query_one(Details)

    @property
    def filter(self) -> Filter:
        """The line above it."""
        return self.query_one(Filter)

    def load(self) -> Sequence[Entry]:
        """Return the runs and studies as they stand."""
        return self.results.read()

    def take(self, found: Sequence[Entry]) -> None:
        """Show what changed, and ages now and then."""
        is_old = time.monotonic() - self._filled_at > _AGES_S
        if found is not self.table.entries or self._problem or is_old:
            self._problem, self._is_read = "", True
            self.table.entries, self._filled_at = found, time.monotonic()
            self._fill()

    def refuse(self, problem: str) -> None:
        """Say in the heading why nothing can be read."""
        self._problem = problem
        self._say()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Let the filter have its own key once one types in it."""
        return action != "filter" or self.focused is not self.filter

    def on_resize(self) -> None:
        """Choose columns for the new width."""
        self._fill()

    def _fill(self) -> None:
        width = self.size.width
        if not width:
            return
        self.details.display = width >= WIDE
        room = width if width < WIDE else max(width - _LEAST_DETAILS, width * 55 // 100)
        taken = self.table.fill(room - 2)
        # What the columns do not take, the details do.
        self.query_one("#list").styles.width = "1fr" if width < WIDE else min(taken + 2, room)
        self._say()

    def _say(self) -> None:
        table, entry = self.table, self.table.current
        found = f"{len(table.shown)} of {len(table.entries)} fit" if table.words else ""
        marks = f"{len(table.marked_entries)} marked" if table.marked_entries else ""
        place = printable(Path.cwd()).replace(printable(Path.home()), "~", 1)
        empty = "" if table.entries else _EMPTY if self._is_read else f"reading {printable(self.results.folder)} ..."
        self.query_one(Heading).say("psa", empty, *counted(table.entries), found, marks, place, problem=self._problem)
        marked = table.marked_entries
        diff = self.words_of("diff") if len(marked) == 2 else None
        self.query_one(CommandLine).say(("d", diff), ("Enter", self.words_of("open")), ("n", ["train"]))
        actions = (("Enter", "open"), ("f", "follow"), ("r", "resume"), ("x", "delete"))
        self.details.show(entry, [(name, self.words_of(action)) for name, action in actions])

    def words_of(self, action: str) -> Words | None:
        """Return the command of an action on the entry under the cursor, or on the marked ones."""
        entry, pair = self.table.current, self.table.pair
        if action in ("new", "parallel"):
            return ["train"] if action == "new" else ["results", "runs"]
        if action == "undo":
            return self.workbench.undo_words()
        if action == "diff":
            return None if pair is None else diff_words(*pair)
        if entry is None:
            return None
        words: dict[str, Callable[[], Words | None]] = {
            "open": lambda: open_words(entry),
            "select_cursor": lambda: open_words(entry),
            "follow": lambda: follow_words(entry),
            "resume": lambda: resume_words(entry, self.results.folder),
            "delete": lambda: delete_words(entry),
            "label": lambda: None if entry.run is None else ["results", "label", entry.said],
        }
        return words[action]() if action in words else None

    @on(DataTable.RowHighlighted)
    def _moved(self) -> None:
        self._say()

    @on(DataTable.RowSelected)
    def action_open(self) -> None:
        """Open the entry under the cursor."""
        entry = self.table.current
        if entry is not None and entry.study is not None:
            from psa_tui.views.workbench.study_screen import StudyScreen

            self.app.push_screen(StudyScreen(self.results, entry))
        elif entry is not None:
            from psa_tui.views.workbench.curve_screen import RunScreen

            self.app.push_screen(RunScreen(self.results, entry))

    @on(DataTable.HeaderSelected)
    def _sort_by(self, event: DataTable.HeaderSelected) -> None:
        found = [column for column in COLUMNS if column.label == event.column_key.value]
        if found:
            self.table.sort_by(found[0])
            self._fill()

    def action_sort(self) -> None:
        """Sort by the next column that is there."""
        labels = [one.value for one in self.table.columns]
        shown = [column for column in COLUMNS if column.label in labels]
        if shown:
            sorted_by = self.table.sorted_by
            self.table.sort_by(shown[(shown.index(sorted_by) + 1) % len(shown)] if sorted_by in shown else shown[0])
            self._fill()

    def action_reverse(self) -> None:
        """Sort the other way round."""
        self.table.sort_by(self.table.sorted_by)
        self._fill()

    def action_mark(self) -> None:
        """Mark the entry under the cursor and go to the next."""
        self.table.toggle_mark()
        self._fill()
        self.table.action_cursor_down()

    def action_filter(self) -> None:
        """Show the filter."""
        self.filter.open()

    @on(Input.Changed, "#filter")
    def _filter(self) -> None:
        self.table.words = self.filter.words
        self._fill()

    def action_clear(self) -> None:
        """Clear the filter; where there is none, the marks."""
        if self.filter.words:
            self.filter.action_clear()
        else:
            self.table.marked.clear()
            self._fill()

    def action_new(self) -> None:
        """Open the form of a new run, with the settings of the one under the cursor."""
        from psa_tui.views.workbench.new_run import NewRun

        def begin(words: Words | None) -> None:
            if words is not None:
                self.table.go_to_new()
                self.workbench.leave_for(words)

        self.app.push_screen(NewRun(self.workbench.settings, self.table.current), begin)

    def action_follow(self) -> None:
        """Follow the run in its own screen; a study's map is live."""
        entry = self.table.current
        if entry is not None and entry.study is not None:
            self.action_open()
        elif entry is not None:
            self.workbench.follow(entry)

    def action_resume(self) -> None:
        """Go on with the run or the study."""
        if (entry := self.table.current) is not None:
            self.workbench.resume(entry)

    def action_delete(self) -> None:
        """Move the run's checkpoint, or the study, into the trash."""
        if (entry := self.table.current) is not None:
            self.workbench.delete(entry)

    def action_undo(self) -> None:
        """Bring back what was deleted last."""
        self.workbench.undo()

    def action_label(self) -> None:
        """Write the run's tags and note."""
        if (entry := self.table.current) is not None:
            self.workbench.label(entry)

    def action_overlay(self) -> None:
        """Draw the marked runs, or the one under the cursor, in one chart."""
        chosen = self.table.marked_entries or [one for one in (self.table.current,) if one is not None]
        if all(entry.run is None for entry in chosen):
            self.workbench.say("mark runs with Space: o lays their curves over one another")
            return
        from psa_tui.views.workbench.overlay_screen import OverlayScreen

        self.app.push_screen(OverlayScreen(self.results, chosen))

    def action_parallel(self) -> None:
        """Draw the settings and results of the marked runs, or of those that the filter shows."""
        from psa_tui.views.workbench.parallel_screen import ParallelScreen, records_of_runs

        asked = self.table.marked_entries or self.table.shown
        records = records_of_runs(asked)
        self.app.push_screen(ParallelScreen("runs", "run", records, ["results", "runs"], len(asked) - len(records)))

    def action_diff(self) -> None:
        """Compare two runs."""
        pair = self.table.pair
        if pair is None:
            self.workbench.say("mark two runs with Space: d shows how their settings and results differ")
            return
        from psa_tui.views.workbench.diff_screen import DiffScreen

        self.app.push_screen(DiffScreen(self.results, *pair))
