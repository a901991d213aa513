"""Two runs side by side: the settings that differ, then the results."""

from __future__ import annotations

from typing import ClassVar

from rich.console import Group as Stacked
from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from psa_tui.formatting import printable
from psa_tui.runs.history import RunDetails, differing, load_runs
from psa_tui.views.run_text import compared_results, plain_value
from psa_tui.views.workbench import signs
from psa_tui.views.workbench.base import WorkbenchScreen, key
from psa_tui.views.workbench.commands import Words, diff_words
from psa_tui.views.workbench.entries import Entry, Results
from psa_tui.views.workbench.widgets import CommandLine, Heading, KeyLine


class DiffScreen(WorkbenchScreen):
    """The comparison."""

    SIGNS = signs.DIFFERENCES
    BINDINGS: ClassVar = [key("escape,backspace", "back", "back", "Back", "Esc")]

    def __init__(self, results: Results, one: Entry, other: Entry) -> None:
        """Compare the runs of two entries."""
        super().__init__()
        self._results, self._pair = results, (one, other)

    def compose(self) -> ComposeResult:
        """Yield heading, table, command and keys."""
        yield Heading()
        with VerticalScroll(id="diff"):
            yield Static(id="table")
        yield CommandLine()
        yield KeyLine()

    def on_mount(self) -> None:
        """Read both."""
        self.query_one(CommandLine).say(("", self.words_of("")))
        self.query_one(Heading).say("differences")
        self.reload()

    def words_of(self, action: str) -> Words | None:
        """Return the command that compares them."""
        return diff_words(*self._pair)

    def load(self) -> Stacked:
        """Return the comparison."""
        return difference(*load_runs(self._results.folder, [entry.name for entry in self._pair]))

    def take(self, found: Stacked) -> None:
        """Show it."""
        self.query_one("#table", Static).update(found)

    def action_back(self) -> None:
        """Go back to the table."""
        self.app.pop_screen()


def difference(one: RunDetails, other: RunDetails) -> Stacked:
    """Return the comparison as a table: what differs bright, what does not dim."""
    table = Table(box=None, padding=(0, 3, 0, 0), pad_edge=False)
    for name in ("", "A", "B"):
        table.add_column(Text(name, "bold"), overflow="fold", no_wrap=not name)
    heads = [Text.assemble((f"{letter}  ", "bold"), _who(run)) for letter, run in (("A", one), ("B", other))]
    settings = differing(one.settings(), other.settings())
    table.add_row(Text("settings that differ" if settings else "no setting differs", "underline"))
    for name, values in settings.items():
        table.add_row(Text(f"  {printable(name)}"), *(Text(printable(plain_value(value)), "bold") for value in values))
    table.add_row()
    table.add_row(Text("results", "underline"))
    for name, ours, theirs in compared_results(one, other):
        style = "" if ours == theirs else "bold"
        table.add_row(Text(f"  {name}"), Text(printable(ours), style), Text(printable(theirs), style))
    table.add_row()
    table.add_row(Text("settings that agree", "underline"))
    for name, value in one.settings().items():
        if name not in settings:
            table.add_row(Text(f"  {printable(name)}", "dim"), Text(printable(plain_value(value)), "dim"))
    return Stacked(*heads, Text(), table)


def _who(run: RunDetails) -> str:
    row = run.row
    return printable(f"{row.name}  {row.run}" if row.name else row.run)
