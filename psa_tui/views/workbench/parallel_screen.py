"""Parallel coordinates of the runs in the table, or of the cells of a study."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.widgets import Static

from psa_tui.formatting import count, printable
from psa_tui.views.workbench import signs
from psa_tui.views.workbench.base import WorkbenchScreen, key
from psa_tui.views.workbench.commands import Words
from psa_tui.views.workbench.entries import Entry
from psa_tui.views.workbench.palette import palette_of
from psa_tui.views.workbench.parallel import Record, Value, described, parallel_chart
from psa_tui.views.workbench.study_data import StudyData
from psa_tui.views.workbench.widgets import CommandLine, Heading, KeyLine


class ParallelScreen(WorkbenchScreen):
    """The chart, and which line is chosen."""

    SIGNS = signs.PARALLEL
    BINDINGS: ClassVar = [
        key("escape,backspace", "back", "back", "Back", "Esc"),
        key("down", "choose(1)", "worse", "The next worse line", "↓"),
        key("up", "choose(-1)", "better", "The next better line", "↑"),
        key("pagedown", "choose(10)", "", "Ten lines on", show=False),
        key("pageup", "choose(-10)", "", "Ten lines back", show=False),
    ]

    def __init__(self, title: str, things: str, records: Sequence[Record], words: Words, left_out: int = 0) -> None:
        """Show ``records``, each one of ``things``; ``words`` is the command that tells their numbers.

        So many others were asked for and are ``left_out``: studies, and what has no result yet.
        """
        super().__init__()
        self._left_out = f"{left_out} left out" if left_out else ""
        self._title, self._thing, self._words = title, things, words
        self._records = sorted(records, key=lambda one: one.result, reverse=True)
        self._chosen = 0

    def compose(self) -> ComposeResult:
        """Yield heading, chart, the chosen line, command and keys."""
        yield Heading()
        yield Static(id="parallel")
        yield Static(id="chosen")
        yield CommandLine()
        yield KeyLine()

    def on_mount(self) -> None:
        """Say what is shown."""
        self.query_one(CommandLine).say(("", self._words))
        shown = count(len(self._records), self._thing)
        self.query_one(Heading).say(self._title, "parallel coordinates", shown, self._left_out)
        self.app.theme_changed_signal.subscribe(self, lambda _: self.draw())
        self.call_after_refresh(self.draw)

    def on_resize(self) -> None:
        """Draw for the new size."""
        self.call_after_refresh(self.draw)

    def words_of(self, action: str) -> Words | None:
        """Return the command that tells the numbers."""
        return None if action == "back" else self._words

    def action_back(self) -> None:
        """Go back to where the records came from."""
        self.app.pop_screen()

    def action_choose(self, steps: int) -> None:
        """Put another line above all."""
        self._chosen = min(max(self._chosen + steps, 0), max(len(self._records) - 1, 0))
        self.draw()

    def draw(self) -> None:
        """Draw the chart and say which line is chosen."""
        picture = self.query_one("#parallel", Static)
        if not picture.size.width:
            return
        palette = palette_of(is_dark=self.app.current_theme.dark)
        picture.update(parallel_chart(self._records, self._chosen, picture.size.width, picture.size.height, palette))
        line = printable(described(self._records, self._chosen)) if self._records else ""
        self.query_one("#chosen", Static).update(Text(line))


def records_of_runs(entries: Sequence[Entry]) -> list[Record]:
    """Return the runs that have a result, with the settings that make them differ, the seed left out."""
    records = []
    for entry in entries:
        row = entry.run
        if row is None or entry.bounty is None:
            continue
        rates = row.hyperparameters
        values: dict[str, Value] = {
            "parameters": float(row.parameters),
            "mode": row.mode,
            **{one: float(getattr(rates, one)) for one in rates.__dataclass_fields__},
            "loops": float(row.meta_loop),
            "data": row.dataset,
        }
        records.append(
            Record(
                f"{entry.label} {entry.architecture}",
                {name.replace("_", " "): one for name, one in values.items()},
                entry.bounty,
            )
        )
    return records


def records_of_cells(data: StudyData) -> list[Record]:
    """Return the cells of a study that have a complete trial, with their means."""
    records = []
    for shape in data.shapes:
        for mode in data.modes:
            mean = data.cell(shape.name, mode).mean
            size = {"depth": shape.depth, "width": shape.width}
            known: dict[str, Value] = {name: float(one) for name, one in size.items() if one is not None}
            known = known or {"shape": shape.name}
            if mean is not None:
                records.append(Record(shape.name, known | {"mode": mode}, mean))
    return records
