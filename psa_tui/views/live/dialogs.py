"""What lies over a screen until it is answered: a list to pick from, a page to read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.console import RenderableType
from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option


class Picker(ModalScreen[str | None]):
    """Lets one of several names be picked; Enter picks, Esc leaves all as it is."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,m", "dismiss(None)", show=False)]
    DEFAULT_CSS = """
    Picker { align: center middle; background: ansi_default; }
    Picker > Vertical { width: 76; max-width: 100%; height: auto; max-height: 100%; padding: 0 1; }
    Picker Static { height: auto; }
    Picker OptionList, Picker OptionList:focus {
        height: auto; max-height: 100%; border: none; padding: 0; scrollbar-size: 0 0;
    }
    """

    def __init__(self, question: str, choices: Sequence[tuple[str, str]], current: str) -> None:
        """``choices`` are names and what they mean; ``current`` is marked."""
        super().__init__()
        self._question, self._choices, self._current = question, choices, current

    def compose(self) -> ComposeResult:
        """Build the list."""
        longest = max(len(name) for name, _ in self._choices)
        options = [
            Option(Text(f"{'*' if name == self._current else ' '} {name:<{longest}}  {meaning}", no_wrap=True))
            for name, meaning in self._choices
        ]
        with Vertical():
            yield Static(Text(self._question, style="bold"))
            yield OptionList(*options, markup=False)
            yield Static(Text("up, down choose  Enter takes it  Esc leaves all as it is", style="dim"))

    def on_mount(self) -> None:
        """Stand on what is in force."""
        names = [name for name, _ in self._choices]
        self.query_one(OptionList).highlighted = names.index(self._current) if self._current in names else 0

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Take what was picked."""
        self.dismiss(self._choices[event.option_index][0])


class Page(ModalScreen[None]):
    """Shows a text that may be longer than the screen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "scroll(-1)", show=False),
        Binding("down,j", "scroll(1)", show=False),
        Binding("pageup", "scroll(-10)", show=False),
        Binding("pagedown", "scroll(10)", show=False),
    ]
    DEFAULT_CSS = """
    Page { background: ansi_default; }
    Page VerticalScroll { height: 1fr; padding: 0 1; scrollbar-size: 0 0; }
    Page #foot { height: 1; }
    Page #title { height: 1; }
    """

    def __init__(self, title: str, text: RenderableType) -> None:
        """Any key but those that scroll leaves it."""
        super().__init__()
        self._title_text, self._text = title, text

    def compose(self) -> ComposeResult:
        """Build the page."""
        yield Static(Text(self._title_text, style="bold"), id="title")
        with VerticalScroll():
            yield Static(self._text)
        yield Static(Text("up, down scroll  any other key leaves", style="dim"), id="foot")

    def action_scroll(self, lines: int) -> None:
        """Scroll by ``lines``."""
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)

    def on_key(self, event: events.Key) -> None:
        """Leave."""
        if event.key not in ("up", "down", "k", "j", "pageup", "pagedown"):
            # The screen below has a meaning for the key, too.
            event.stop()
            self.dismiss()
