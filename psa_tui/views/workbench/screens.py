"""Small screens over another: a line to fill in, a run's labels, and the help."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Input, Static

from psa_tui.views.workbench.base import Dialog
from psa_tui.views.workbench.commands import Words, label_words, shown
from psa_tui.views.workbench.entries import Entry
from psa_tui.views.workbench.signs import Signs
from psa_tui.views.workbench.widgets import facts_table


class Amount(Dialog[int]):
    """A whole number to fill in; None where one changed one's mind."""

    def __init__(self, question: str, value: int) -> None:
        """Ask for a number, ``value`` at first."""
        super().__init__()
        self._question, self._value = question, value

    def compose(self) -> ComposeResult:
        """Yield the question and its field."""
        with Vertical(classes="dialog"):
            yield Static(Text(self._question))
            yield Input(str(self._value), type="integer", max_length=9, compact=True)
            yield Static(Text.assemble(("Enter", "bold"), " goes on   ", ("Esc", "bold"), " leaves"))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Close with the number, if it is one."""
        if event.value.isdecimal() and int(event.value) > 0:
            self.dismiss(int(event.value))


class Label(Dialog[Words]):
    """The name, tags and note of a run; it closes with the command that writes them, None where nothing changes."""

    def __init__(self, entry: Entry) -> None:
        """Show those of the run of ``entry``."""
        super().__init__()
        self._entry = entry

    def compose(self) -> ComposeResult:
        """Yield the two lines, and the command."""
        with VerticalScroll(classes="dialog form"):
            yield Static(Text(f"Label {self._entry.label}", "bold"))
            # Only a run with a folder of its own has a name that can be changed.
            named = self._entry.run is not None and self._entry.run.name
            names = (("name", self._entry.label),) if named else ()
            for name, value in (*names, ("tags", self._entry.tags), ("note", self._entry.note)):
                with Horizontal(classes="field"):
                    yield Static(Text(name), classes="label")
                    yield Input(value, id=name, compact=True)
            yield Static(classes="command")
            yield Static(Text.assemble(("Enter", "bold"), " writes them   ", ("Esc", "bold"), " leaves them"))

    def on_mount(self) -> None:
        """Begin with the tags."""
        self.query_one("#tags").focus()

    def _words(self) -> Words | None:
        values = {field.id: field.value.strip() for field in self.query(Input)}
        tags = values["tags"].replace(",", " ").split()
        return label_words(self._entry, values.get("name", ""), tags, values["note"])

    @on(Input.Changed)
    def _say(self) -> None:
        words = self._words()
        self.query_one(".command", Static).update(Text("nothing changes" if words is None else f"$ {shown(words)}"))

    @on(Input.Submitted)
    def _close(self) -> None:
        self.dismiss(self._words())


class Help(Dialog[None]):
    """The keys of a screen in words, and what its signs mean."""

    BINDINGS: ClassVar = [Binding("question_mark,q", "cancel", "back")]

    def __init__(self, keys: Iterable[tuple[str, str]], signs: Signs) -> None:
        """Explain ``keys`` and ``signs``."""
        super().__init__()
        self._keys, self._signs = list(keys), signs

    def compose(self) -> ComposeResult:
        """Yield the keys and the signs."""
        with VerticalScroll(classes="dialog help"):
            yield Static(Text("Keys", "bold"))
            yield Static(facts_table(self._keys, "bold"))
            if self._signs:
                yield Static(Text("\nSigns", "bold"))
                yield Static(facts_table(self._signs, "bold"))
            yield Static(
                Text(
                    "\nEvery action is a command of psa: the line at the bottom shows it, the list of commands (^p) "
                    "has those of all actions. Hold Shift to select text with the mouse."
                )
            )
