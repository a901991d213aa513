"""The trials of one shape of a study, or of all, in a table; Enter opens a trial's curve and log."""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Container
from textual.widgets import DataTable

from psa_tui.analysis.shapes import parse_shape
from psa_tui.formatting import count
from psa_tui.storage.study_rows import FAILED, TrialRow
from psa_tui.views.workbench import signs
from psa_tui.views.workbench.base import WorkbenchScreen, key
from psa_tui.views.workbench.charts import Curve, Group
from psa_tui.views.workbench.columns import shortened
from psa_tui.views.workbench.commands import Words, trial_words
from psa_tui.views.workbench.entries import Results, accuracy
from psa_tui.views.workbench.overlay import Overlay
from psa_tui.views.workbench.study_data import StudyData, read_study
from psa_tui.views.workbench.subjects import read_trial
from psa_tui.views.workbench.widgets import CommandLine, Heading, KeyLine

_LABELS = ("shape", "mode", "trial", "state", "loops", "best %", "at loop", "test %", "seed")
_FIRST_TO_GO = ("seed", "at loop", "loops", "test %")
_EVERY_S = 3.0
_WIDE, _HIGH = 120, 24
_SHARE_PERCENT = 60
"""Of the width, what the table may take beside the curves."""
_LEAST_MODE = 8
_NUMBERS = ("trial", "loops", "best %", "at loop", "test %", "seed")


class TrialsTable(DataTable[Text]):
    """The table, whose Enter is among the keys."""

    BINDINGS: ClassVar = [
        key("enter", "select_cursor", "curve", "Curve and log of the trial", "Enter"),
        Binding("home", "scroll_top", show=False),
        Binding("end", "scroll_bottom", show=False),
    ]


class TrialsScreen(WorkbenchScreen):
    """The table of trials."""

    SIGNS = signs.OVERLAY
    BINDINGS: ClassVar = [
        key("escape,backspace", "back", "back", "Back", "Esc"),
        key("s", "best_first", "best first", "Best trials first, or by mode and number"),
    ]

    def __init__(self, results: Results, data: StudyData, shape: str | None) -> None:
        """Show the trials of a shape; None stands for all shapes."""
        super().__init__()
        self._results, self._data, self._shape = results, data, shape
        self._rows: list[TrialRow] = []
        self._is_by_best = False
        self._read: list[TrialRow] = []
        """The trials whose curves were read."""

    def compose(self) -> ComposeResult:
        """Yield heading, table, command and keys."""
        yield Heading()
        with Container(id="trials-body"):
            yield Overlay("trial")
            yield TrialsTable(id="trials", cursor_type="row", zebra_stripes=True)
        yield CommandLine()
        yield KeyLine()

    def on_mount(self) -> None:
        """Fill the table, and read the curves."""
        self._fill()
        self._table.focus()
        self.reload_every(_EVERY_S)

    def on_resize(self) -> None:
        """Put the curves of a shape beside the table, or above it, or leave them out."""
        body = self.query_one("#trials-body")
        body.set_class(self._is_beside, "-wide")
        self._fill()

    @property
    def _is_beside(self) -> bool:
        """Whether curves stand beside the table."""
        return self._shape is not None and self.size.width >= _WIDE

    def load(self) -> tuple[StudyData, list[Group]]:
        """Return the study as it stands, and the curves of the shape's trials by mode."""
        data = read_study(self._results.folder, self._data.name)
        if self._shape is None:
            return data, []
        rows = [row for row in data.trials_of(self._shape) if row.meta_loop]
        subjects = (
            {row: read_trial(self._results.folder, data.name, row, None) for row in rows} if rows != self._read else {}
        )
        self._read = rows
        groups: dict[str, list[Curve]] = {}
        for row, subject in subjects.items():
            if len(subject.loops):
                groups.setdefault(row.mode, []).append(subject.curve)
        return data, [Group(mode, curves) for mode, curves in groups.items()]

    def take(self, found: tuple[StudyData, list[Group]]) -> None:
        """Show what changed."""
        data, groups = found
        if data != self._data:
            self._data = data
            self._fill()
        if groups:
            self.query_one(Overlay).show(groups)

    @property
    def _table(self) -> DataTable[Text]:
        return self.query_one("#trials", DataTable)

    def _fill(self) -> None:
        self._rows = self._data.trials_of(self._shape)
        if self._is_by_best:
            self._rows.sort(key=lambda row: -1.0 if row.bounty is None else row.bounty, reverse=True)
        best = max((row.bounty for row in self._rows if row.bounty is not None), default=None)
        trials = count(len(self._rows), "trial") if self._rows else "no trial has begun yet"
        found = "" if best is None else f"best {accuracy(best)} %"
        lost = self._data.failed(self._shape)
        facts = trials, f"{lost:,} failed" if lost else "", found
        self.query_one(Heading).say(f"study {self._data.name}", self._shape or "all shapes", *facts)
        has_curves = self._shape is not None and any(row.meta_loop for row in self._rows)
        self.query_one(Overlay).display = has_curves and (self._is_beside or self.size.height >= _HIGH)
        table, place = self._table, self._table.cursor_row
        cells = [_cells(row) for row in self._rows]
        labels = [label for label in _LABELS if label != "shape" or self._shape is None]
        widths = {label: max(cell_len(one) for one in (label, *(row[label] for row in cells))) for label in labels}
        room = self.size.width * _SHARE_PERCENT // 100 if self._is_beside else self.size.width
        for label in _FIRST_TO_GO:
            if sum(widths[one] + 2 for one in labels) > room - 2:
                labels.remove(label)
        others = sum(widths[one] + 2 for one in labels if one != "mode")
        widths["mode"] = min(widths["mode"], max(room - 2 - others - 2, _LEAST_MODE))
        table.clear(columns=True)
        for label in labels:
            table.add_column(_text(label, label), key=label, width=widths[label])
        for row in cells:
            style = "bold red" if row["state"] == FAILED else ""
            shown = row | {"mode": shortened(row["mode"], widths["mode"])}
            table.add_row(*(_text(shown[label], label, style) for label in labels))
        table.move_cursor(row=min(place, max(len(self._rows) - 1, 0)), animate=False)
        self._say()

    @on(DataTable.RowHighlighted)
    def _say(self) -> None:
        self.query_one(CommandLine).say(("Enter", self.words_of("select_cursor")))

    @property
    def _current(self) -> TrialRow | None:
        place = self._table.cursor_row
        return self._rows[place] if 0 <= place < len(self._rows) else None

    def words_of(self, action: str) -> Words | None:
        """Return the command that says how the trial is trained alone."""
        row = self._current
        if row is None or action != "select_cursor":
            return None
        return trial_words(self._data.name, row.architecture, row.mode, row.trial)

    def action_back(self) -> None:
        """Go back to the map."""
        self.app.pop_screen()

    def action_best_first(self) -> None:
        """Put the best trials first, or go back to modes and numbers."""
        self._is_by_best = not self._is_by_best
        self._fill()

    @on(DataTable.RowSelected)
    def action_open(self) -> None:
        """Open the trial's curve."""
        from psa_tui.views.workbench.curve_screen import TrialScreen

        row = self._current
        if row is not None:
            network = parse_shape(row.architecture, self._data.dataset, self._data.family)
            self.app.push_screen(TrialScreen(self._results, self._data.name, row, network))


def _cells(row: TrialRow) -> dict[str, str]:
    return {
        "shape": row.architecture,
        "mode": row.mode,
        "trial": str(row.trial),
        "state": row.state,
        "loops": "-" if row.meta_loop is None else f"{row.meta_loop:,}",
        "best %": accuracy(row.bounty),
        "at loop": "-" if row.bounty_meta_loop is None else f"{row.bounty_meta_loop:,}",
        "test %": accuracy(row.test_accuracy),
        "seed": "-" if row.seed is None else str(row.seed),
    }


def _text(text: str, label: str, style: str = "") -> Text:
    return Text(text, style, justify="right" if label in _NUMBERS else "left", no_wrap=True)
