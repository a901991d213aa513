"""Curves of several groups in one chart, with a legend below that has a line a group."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Static

from psa_tui.formatting import count
from psa_tui.views.workbench.charts import Group, letter_of, overlay_chart, style_of


class Overlay(Vertical):
    """The chart and its legend."""

    def __init__(self, thing: str) -> None:
        """Call one curve a ``thing``: run, trial."""
        super().__init__(classes="overlay")
        self._thing = thing
        self._groups: Sequence[Group] = ()

    def compose(self) -> ComposeResult:
        """Yield chart and legend."""
        yield Static(classes="curve")
        with VerticalScroll(classes="legend"):
            yield Static(classes="groups")

    def show(self, groups: Sequence[Group]) -> None:
        """Draw ``groups``."""
        self._groups = groups
        legend = Table.grid(padding=(0, 2))
        for number, group in enumerate(groups):
            average = "median " if len(group.curves) > 1 else ""
            median = "-" if group.median is None else f"{average}{group.median:.2f} %"
            things = count(len(group.curves), self._thing)
            line = f"━{letter_of(number)}━" if len(groups) > 1 else "━━"
            legend.add_row(Text(line, style_of(number)), Text(group.setting), Text(things), Text(median))
        self.query_one(".groups", Static).update(legend)
        self.call_after_refresh(self.draw)

    def on_resize(self) -> None:
        """Draw for the new size."""
        self.call_after_refresh(self.draw)

    def draw(self) -> None:
        """Draw the chart in the room that the legend leaves."""
        picture = self.query_one(".curve", Static)
        if self._groups and picture.size.width:
            picture.update(overlay_chart(self._groups, picture.size.width, picture.size.height, "dim"))
