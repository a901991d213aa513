"""A study: its map in colour, what is under the cursor, and the trials of a shape."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from rich.console import RenderableType
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Container, VerticalScroll
from textual.widgets import Static

from psa_tui.views.workbench import signs
from psa_tui.views.workbench.base import WorkbenchScreen, key
from psa_tui.views.workbench.commands import Words, importance_words, open_words, resume_words
from psa_tui.views.workbench.entries import Entry, Results
from psa_tui.views.workbench.read_out import brief, read_out
from psa_tui.views.workbench.study_data import StudyData, View, read_study
from psa_tui.views.workbench.study_map import Shown, StudyMap, scale_text
from psa_tui.views.workbench.trials_screen import TrialsScreen
from psa_tui.views.workbench.widgets import CommandLine, Heading, KeyLine

_EVERY_S = 2.0
_WIDE = 100
_HIGH = 24


class StudyScreen(WorkbenchScreen):
    """The map of one study."""

    SIGNS = signs.MAP
    BINDINGS: ClassVar = [
        key("escape,backspace", "back", "back", "Back", "Esc"),
        key("v", "view", "view", "Next view: best, mode, effect, n, state (or 1 to 5)"),
        key("m", "mode", "mode", "Next mode, for the views of a mode and of its effect"),
        key("c", "control", "compare", "Next mode to compare with, for the effect"),
        key("l", "trials", "all trials", "List of all trials"),
        key("p", "parallel", "", "Parallel coordinates of the cells", show=False),
        key("pagedown", "scroll(1)", "", "More of what is known of the shape", "PgDn", show=False),
        key("pageup", "scroll(-1)", "", "Back to the first lines of it", "PgUp", show=False),
        key("i", "importance", "importance", "Importance: which axis of the design the results follow"),
        key("r", "resume", "run", "Run: go on with the study"),
        *(
            key(str(number), f"view({number})", "", f"View: {view}", show=False)
            for number, view in enumerate(View, start=1)
        ),
    ]

    def __init__(self, results: Results, entry: Entry) -> None:
        """Show the study of ``entry``."""
        super().__init__()
        self._results, self._entry = results, entry

    def compose(self) -> ComposeResult:
        """Yield heading, map and read-out, scale, command and keys."""
        yield Heading()
        with Container(id="study"):
            yield StudyMap()
            with VerticalScroll(id="readout"):
                yield Static(id="cell")
        yield Static(id="scale")
        yield CommandLine()
        yield KeyLine()

    def on_mount(self) -> None:
        """Read the study now and again."""
        self.map.focus()
        self.reload_every(_EVERY_S)

    @property
    def map(self) -> StudyMap:
        """The map."""
        return self.query_one(StudyMap)

    def load(self) -> StudyData:
        """Return the study as it stands."""
        return read_study(self._results.folder, self._entry.name)

    def take(self, data: StudyData) -> None:
        """Draw the study if it changed."""
        if data == self.map.data:
            return
        if self.map.data is None:
            others = [mode for mode in data.modes if mode != data.control]
            self.map.shown = Shown(View.BEST, others[0] if others else data.control, data.control)
        self.map.data = data
        self._say()

    def on_resize(self) -> None:
        """Put the read-out beside the map, or below it."""
        study = self.query_one("#study")
        study.set_class(self.size.width >= _WIDE, "-wide")
        study.set_class(self.size.height >= _HIGH, "-high")
        self.call_after_refresh(self._say)

    @on(StudyMap.Moved)
    def _say(self) -> None:
        data, shown, name = self.map.data, self.map.shown, self.map.cursor
        if data is None:
            return
        place = list(View).index(shown.view) + 1
        complete = sum(data.complete(shape.name) for shape in data.shapes)
        failed = data.failed(None)
        facts = [f"{complete:,} of {data.wanted() * len(data.shapes):,} trials", f"{failed:,} failed" if failed else ""]
        facts.append("running" if data.is_running else "")
        off = sum(shape.depth is None or shape.width is None for shape in data.shapes)
        left_out = f"{off} of unknown size: l lists them" if off else ""
        self.query_one(Heading).say(f"study {data.name}", f"{place} {shown.view}", *facts, left_out)
        self.query_one("#scale", Static).update(scale_text(data, shown, self.size.width - 2))
        self.query_one(CommandLine).say(("", open_words(self._entry)), ("r", self.words_of("resume")))
        is_brief = self.size.width < _WIDE and self.size.height < _HIGH
        width = self.query_one("#readout").size.width
        cell: RenderableType = Text()
        if name is not None:
            cell = brief(data, name, shown) if is_brief else read_out(data, name, shown, width)
        self.query_one("#cell", Static).update(cell)

    def words_of(self, action: str) -> Words | None:
        """Return the command of an action."""
        if action in ("importance", "parallel"):
            return importance_words(self._entry)
        return resume_words(self._entry, self._results.folder) if action == "resume" else None

    def action_back(self) -> None:
        """Go back to the table."""
        self.app.pop_screen()

    def action_scroll(self, pages: int) -> None:
        """Scroll what is known of the shape under the cursor."""
        readout = self.query_one("#readout")
        readout.scroll_relative(y=pages * readout.size.height, animate=False)

    def action_view(self, number: int | None = None) -> None:
        """Show another view of the map."""
        views = list(View)
        place = views.index(self.map.shown.view) + 1 if number is None else number - 1
        self._show(replace(self.map.shown, view=views[place % len(views)]))

    def action_mode(self) -> None:
        """Show the next mode, in a view that has one."""
        shown = self.map.shown
        view = shown.view if shown.view in (View.MODE, View.EFFECT) else View.MODE
        self._show(
            replace(shown, view=view, mode=self._after(shown.mode, shown.control if view is View.EFFECT else ""))
        )

    def action_control(self) -> None:
        """Compare with the next mode."""
        shown = self.map.shown
        self._show(replace(shown, view=View.EFFECT, control=self._after(shown.control, shown.mode)))

    def _after(self, mode: str, other: str) -> str:
        """Return the mode after ``mode`` that is not ``other``."""
        modes = [] if self.map.data is None else [one for one in self.map.data.modes if one != other or one == mode]
        return modes[(modes.index(mode) + 1) % len(modes)] if mode in modes else mode

    def _show(self, shown: Shown) -> None:
        self.map.shown = shown
        self._say()

    def action_parallel(self) -> None:
        """Draw depth, width, mode and mean of every cell."""
        from psa_tui.views.workbench.parallel_screen import ParallelScreen, records_of_cells

        if self.map.data is not None:
            records = records_of_cells(self.map.data)
            words = importance_words(self._entry)
            self.app.push_screen(ParallelScreen(f"study {self.map.data.name}", "cell", records, words))

    def action_importance(self) -> None:
        """Say how much of the trials' variance goes with each axis."""
        self.workbench.leave_for(importance_words(self._entry))

    def action_resume(self) -> None:
        """Go on with the study."""
        self.workbench.resume(self._entry)

    def action_trials(self) -> None:
        """List all trials."""
        if self.map.data is not None:
            self.app.push_screen(TrialsScreen(self._results, self.map.data, None))

    @on(StudyMap.Chosen)
    def _open(self) -> None:
        if self.map.data is not None:
            self.app.push_screen(TrialsScreen(self._results, self.map.data, self.map.cursor))
