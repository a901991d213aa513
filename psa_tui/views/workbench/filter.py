"""The line above the table in which words are typed that all must be there."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.binding import Binding
from textual.widgets import DataTable, Input


class Filter(Input):
    """Seen while it has words, or while they are typed."""

    BINDINGS: ClassVar = [
        Binding("down,tab", "leave", "to the table", key_display="Enter"),
        Binding("escape", "clear", "clear", key_display="Esc"),
    ]

    def __init__(self) -> None:
        """Hidden, without words."""
        super().__init__(placeholder="words that all must be there: output lr:0.01 failed", id="filter", compact=True)
        self.display = False

    @property
    def words(self) -> list[str]:
        """What was typed, in lower case."""
        return self.value.lower().split()

    def open(self) -> None:
        """Let somebody type."""
        self.display = True
        self.screen.set_focus(self)

    @on(Input.Submitted)
    def action_leave(self) -> None:
        """Go to what fits."""
        self.display = bool(self.words)
        self.screen.query_one(DataTable).focus()

    def action_clear(self) -> None:
        """Take the words away."""
        self.value = ""
        self.action_leave()
