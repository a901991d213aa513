"""The table of runs and studies as a widget: what is shown of the entries, in which order, which are marked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.binding import Binding
from textual.widgets import DataTable

from psa_tui.views.workbench.base import key
from psa_tui.views.workbench.columns import COLUMNS, NAME, Column, fitting, ordered, width_of
from psa_tui.views.workbench.entries import Entry
from psa_tui.views.workbench.palette import Palette, palette_of

_RUNS, _FAILED, _WAITS, _DONE = "● ", "✗ ", "■ ", "✓ "
_STATES = {"running": _RUNS, "failed": _FAILED, "stopped": _WAITS, "interrupted": _WAITS, "begun": _WAITS}
_MARK = "◆"
_AGE = next(column for column in COLUMNS if column.label == "age")


class RunsTable(DataTable[Text]):
    """A DataTable whose rows are entries; a row's key is the entry's."""

    BINDINGS: ClassVar = [
        key("enter", "select_cursor", "open", "Open the run, or the map of the study", "Enter"),
        # Textual's move within a row, where a cursor that is a row stays.
        Binding("home", "scroll_top", show=False),
        Binding("end", "scroll_bottom", show=False),
    ]

    def __init__(self) -> None:
        """Empty, the newest first."""
        super().__init__(id="table", cursor_type="row", zebra_stripes=True)
        self.entries: Sequence[Entry] = ()
        self.shown: list[Entry] = []
        self.marked: dict[str, None] = {}
        """Keys in the order in which they were marked."""
        self.words: list[str] = []
        self.sorted_by: Column = _AGE
        self.is_reversed = True
        self._drawn: object = None
        self._before: set[str] | None = None
        """The keys there were when a run was begun to which the cursor is to go."""

    @property
    def current(self) -> Entry | None:
        """The entry under the cursor."""
        return self.shown[self.cursor_row] if 0 <= self.cursor_row < len(self.shown) else None

    @property
    def marked_entries(self) -> list[Entry]:
        """Those that are marked and still there, in the order in which they were marked."""
        known = {entry.key: entry for entry in self.entries}
        return [known[key] for key in self.marked if key in known]

    @property
    def pair(self) -> tuple[Entry, Entry] | None:
        """The two runs to be compared: those marked, or the marked one and that under the cursor."""
        runs = [entry for entry in self.marked_entries if entry.run is not None]
        if len(runs) == 1 and self.current is not None and self.current.run and self.current.key != runs[0].key:
            runs.append(self.current)
        return (runs[0], runs[1]) if len(runs) == 2 else None

    def fill(self, room: int) -> int:
        """Show what fits the filter in ``room`` columns, and return how many the table takes.

        The cursor stays on its entry, or goes to the one that it waits for.
        """
        self.shown = ordered(
            [entry for entry in self.entries if entry.fits(self.words)], self.sorted_by, reverse=self.is_reversed
        )
        columns, width = fitting(self.entries, room, self.sorted_by)
        rows = [self._cells(entry, columns) for entry in self.shown]
        content = (
            [column.label for column in columns],
            self.sorted_by,
            self.is_reversed,
            rows,
            self._palette,
            [entry.is_there for entry in self.shown],
        )
        if content == self._drawn:
            return width
        self._drawn = content
        at = self._new_key() or self._current_key()
        place, offset = self.cursor_row, self.scroll_offset
        self.clear(columns=True)
        self.add_column(Text(" "), key="mark", width=1)
        for column in columns:
            # Widths that the table finds out by itself come a frame too late.
            self.add_column(
                self._heading(column), key=column.label, width=width_of(column, self.entries, self.sorted_by)
            )
        for entry, cells in zip(self.shown, rows, strict=True):
            # Names that others wrote may read the same without their control characters.
            self.add_row(*cells, key=None if entry.key in self.rows else entry.key)
        keys = [entry.key for entry in self.shown]
        self.move_cursor(row=keys.index(at) if at in keys else min(place, max(len(keys) - 1, 0)), animate=False)
        self.scroll_to(y=offset.y, animate=False, force=True)
        return width

    def go_to_new(self) -> None:
        """Let the cursor go to the next entry that comes up."""
        self._before = {entry.key for entry in self.entries}

    def _new_key(self) -> str | None:
        new = (
            None if self._before is None else next((one.key for one in self.shown if one.key not in self._before), None)
        )
        self._before = self._before if new is None else None
        return new

    def _current_key(self) -> str | None:
        if not self.row_count or not self.is_valid_row_index(self.cursor_row):
            return None
        return self.ordered_rows[self.cursor_row].key.value

    @property
    def _palette(self) -> Palette:
        return palette_of(is_dark=self.app.current_theme.dark)

    def _heading(self, column: Column) -> Text:
        arrow = (" ▼" if self.is_reversed else " ▲") if column.label == self.sorted_by.label else ""
        return Text(column.label + arrow, justify="right" if column.is_number else "left", no_wrap=True)

    def _cells(self, entry: Entry, columns: Sequence[Column]) -> list[Text]:
        is_marked = entry.key in self.marked
        return [
            Text(_MARK if is_marked else " ", f"bold {self._palette.lkg}"),
            *(self._cell(entry, one) for one in columns),
        ]

    def _cell(self, entry: Entry, column: Column) -> Text:
        text = column.cell(entry)
        if column.label == "state":
            glyph = _STATES.get(text, _DONE)
            looks = {_RUNS: self._palette.promoted, _FAILED: "bold red", _WAITS: self._palette.lkg}
            style = looks.get(glyph, "") if entry.is_there else "dim"
            return Text.assemble((glyph, style), (text, style))
        style = "bold" if column.label == NAME and entry.study is not None else "" if entry.is_there else "dim"
        return Text(text, style, justify="right" if column.is_number else "left", no_wrap=True)

    def sort_by(self, column: Column) -> None:
        """Sort by a column; by the same again in the other direction."""
        self.is_reversed = not self.is_reversed if column is self.sorted_by else column.is_descending
        self.sorted_by = column

    def toggle_mark(self) -> None:
        """Mark the entry under the cursor, or take its mark away."""
        if self.current is not None and self.marked.pop(self.current.key, "not there") == "not there":
            self.marked[self.current.key] = None
