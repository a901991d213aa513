"""The pane beside the table: the curve and the facts of the run under the cursor, or the map of the study."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich.console import Group as Stacked
from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.timer import Timer
from textual.widgets import Static
from textual.worker import get_current_worker

from psa_tui.errors import PsaError
from psa_tui.formatting import printable
from psa_tui.views.workbench.base import REST
from psa_tui.views.workbench.commands import Words, shown
from psa_tui.views.workbench.entries import Entry, Results
from psa_tui.views.workbench.palette import palette_of
from psa_tui.views.workbench.widgets import facts_table

_PATIENCE_S = 0.08
"""How long the cursor rests on a row before its run is read."""
_SAY_S = 0.5
"""How long the run before stays, while its successor is read."""
_LEAST_CHART = 8


class Details(VerticalScroll):
    """What the history has of one entry."""

    can_focus = False

    def __init__(self, results: Results) -> None:
        """Nothing is shown yet."""
        super().__init__(id="details")
        self._results = results
        self._entry: Entry | None = None
        self._commands: Sequence[tuple[str, Words | None]] = ()
        self._found: object = None
        self._due: Timer | None = None
        self._rests_until = 0.0

    def compose(self) -> ComposeResult:
        """Yield the picture and the facts below it."""
        yield Static(id="picture")
        yield Static(id="facts")

    def show(self, entry: Entry | None, commands: Sequence[tuple[str, Words | None]]) -> None:
        """Show ``entry`` once the cursor rests."""
        before, self._entry, self._commands = self._entry, entry, commands
        is_other = entry is None or before is None or entry.key != before.key
        if entry == before and self._found is not None:
            return
        if self._due is not None:
            self._due.stop()
        if entry is None:
            self._found = None
            self.draw()
        elif self.display and (is_other or time.monotonic() >= self._rests_until):
            self._due = self.set_timer(_PATIENCE_S, lambda: self._read(entry))
            if is_other:
                self._found = None
                self.scroll_home(animate=False)
                self.set_timer(_SAY_S, self._say_reading)

    def _say_reading(self) -> None:
        """Say that it takes a while."""
        if self._found is None and self._entry is not None:
            self.query_one("#picture", Static).update(Text(f"reading {self._entry.label} ...", "dim"))
            self.query_one("#facts", Static).update("")

    def on_resize(self) -> None:
        """Draw for the new size; a pane that was not seen reads what it shows."""
        self.draw()
        if self._found is None and self._entry is not None:
            self._read(self._entry)

    @work(thread=True, exclusive=True, group="details")
    def _read(self, entry: Entry) -> None:
        # It loads NumPy, which the first frame does not wait for.
        from psa_tui.views.workbench.study_data import read_study
        from psa_tui.views.workbench.subjects import read_run

        found: object
        began = time.monotonic()
        try:
            if entry.study is not None:
                found = read_study(self._results.folder, entry.name)
            else:
                found = read_run(self._results.folder, entry.name, entry.version)
        except PsaError as error:
            found = error
        self._rests_until = time.monotonic() + REST * (time.monotonic() - began)
        if not get_current_worker().is_cancelled:
            self.call_later(self._take, entry, found)

    def _take(self, entry: Entry, found: object) -> None:
        if self._entry is not None and entry.key == self._entry.key:
            self._found = found
            self.draw()

    def draw(self) -> None:
        """Draw what was read, in the size and the theme of now."""
        picture, facts = self.query_one("#picture", Static), self.query_one("#facts", Static)
        width, height = self.size.width - 2, max(self.size.height * 2 // 5, _LEAST_CHART)
        if self._found is None or width < 20:
            picture.update("")
            facts.update("")
            return
        from psa_tui.views.display import ChartWindow
        from psa_tui.views.workbench.study_data import StudyData
        from psa_tui.views.workbench.study_map import Shown, draw_map, scale_text
        from psa_tui.views.workbench.subjects import Subject, draw_curve

        palette = palette_of(is_dark=self.app.current_theme.dark)
        lines: list[tuple[str, str]] = []
        if isinstance(self._found, Subject):
            picture.update(Stacked(*draw_curve(self._found, width, height, palette, ChartWindow()), Text()))
            lines = list(self._found.facts)
        elif isinstance(self._found, StudyData):
            data, view = self._found, Shown()
            drawn = draw_map(data, view, width, height + 4, None)
            picture.update(Stacked(drawn, scale_text(data, view, width), Text()))
            lines = data.facts()
        else:
            picture.update(Text(printable(self._found)))
        commands = [(key, f"$ {shown(words)}") for key, words in self._commands if words is not None]
        facts.update(Stacked(facts_table(commands, "bold"), Text(), facts_table(lines, palette.muted)))
