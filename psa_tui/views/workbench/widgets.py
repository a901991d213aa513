"""What all screens of the workbench have: a line that says where one is, the command line, and a line of keys."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text
from textual.binding import Binding
from textual.events import Click
from textual.widgets import Static

from psa_tui.formatting import printable
from psa_tui.views.workbench.commands import shown

_ALWAYS = ("quit", "help", "back")
_SIDES = 2
"""Columns left and right of the command line."""


class Line(Static):
    """Text that is drawn, and makes the screen find its layout, only where it is another."""

    line = Text()
    """What is shown."""

    def set_line(self, line: Text, *, layout: bool = False) -> None:
        """Show ``line``; ``layout`` says that it may take more or fewer lines than before."""
        if (line, line.spans) != (self.line, self.line.spans):
            self.line = line
            self.update(line, layout=layout)


class Heading(Line):
    """Where one is, and what there is of it, in one line; or why there is nothing, in as many as that takes."""

    def say(self, name: str, *facts: str, problem: str = "") -> None:
        """Show ``name`` and as many facts as the line holds whole, or the whole ``problem``."""
        line = Text(no_wrap=not problem, end="").append(f" {name} ", "bold reverse").append(" ")
        if problem:
            line.append(f"  {problem}")
        for fact in () if problem else filter(None, facts):
            if line.cell_len + cell_len(fact) + 3 > self.app.size.width:
                break
            line.append("  ").append(fact)
        self.set_line(line, layout=True)


class CommandLine(Line):
    """The command that the action at hand stands for."""

    def say(self, *commands: tuple[str, Sequence[str] | None]) -> None:
        """Show commands, (key, words) each, as many as the line holds whole; the first one always."""
        line = Text(end="")
        for key, words in commands:
            if words is None:
                continue
            piece = Text.assemble((f"{key} " if key else "", "bold"), (f"$ {shown(words)}", ""))
            if line and line.cell_len + piece.cell_len + 3 > self.app.size.width - _SIDES:
                break
            line.append("   " if line else "").append(piece)
        self.set_line(line, layout=True)


class KeyLine(Line):
    """The keys that a line holds whole; which of them go first, the order of the bindings says.

    Unlike Textual's Footer it cuts no word, and is drawn again only when it changes.
    """

    def __init__(self) -> None:
        """No key yet."""
        super().__init__()
        self._ends: list[tuple[int, str]] = []
        """Where the room of each key ends, and the key."""

    def on_mount(self) -> None:
        """Follow the bindings and the theme."""
        self.screen.bindings_updated_signal.subscribe(self, self._say)
        self.app.theme_changed_signal.subscribe(self, self._say)

    def on_resize(self) -> None:
        """Choose the keys anew."""
        self._say()

    def _say(self, _: object = None) -> None:
        found: dict[str, Binding] = {}
        for _, binding, enabled, _ in self.screen.active_bindings.values():
            if binding.show and enabled:
                found.setdefault(binding.action, binding)
        pieces = [(binding, f"{self.app.get_key_display(binding)} {binding.description}") for binding in found.values()]
        room = self.size.width - sum(cell_len(text) + 2 for binding, text in pieces if binding.action in _ALWAYS)
        line = Text(no_wrap=True, end="")
        self._ends = []
        style = f"bold {self.app.theme_variables['accent' if self.app.current_theme.dark else 'primary']}"
        for binding, text in pieces:
            if binding.action not in _ALWAYS:
                room -= cell_len(text) + 2
            if binding.action in _ALWAYS or room >= 0:
                key, _, words = text.partition(" ")
                line.append(key, style).append(f" {words}  ")
                self._ends.append((line.cell_len, binding.key))
        self.set_line(line)

    def on_click(self, event: Click) -> None:
        """Press the key that was clicked."""
        key = next((key for end, key in self._ends if event.x < end), None)
        if key is not None:
            self.app.simulate_key(key)


def facts_table(facts: Iterable[tuple[str, str]], muted: str) -> Table:
    """Return names and values side by side; a value goes on below where it is too long."""
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts:
        table.add_row(Text(printable(name), muted), Text(printable(value)))
    return table
