"""What the screens of the workbench share: keys that are also in the list of commands and in the help."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from textual.app import SystemCommand
from textual.binding import Binding
from textual.dom import DOMNode
from textual.screen import ModalScreen, Screen
from textual.worker import get_current_worker

from psa_tui.errors import PsaError
from psa_tui.formatting import printable
from psa_tui.views.workbench.commands import Words, shown
from psa_tui.views.workbench.signs import Signs

if TYPE_CHECKING:
    from psa_tui.views.workbench.app import Workbench

Result = TypeVar("Result")
REST = 20.0
"""What was read rests this many times as long as reading it took."""


def key(keys: str, action: str, label: str, meaning: str, display: str | None = None, *, show: bool = True) -> Binding:
    """Return a binding; ``label`` is for the line of keys, ``meaning`` for the help and the list of commands."""
    return Binding(keys, action, label, show=show, key_display=display, tooltip=meaning)


class Dialog(ModalScreen[Result | None]):
    """A small screen over another; it closes with a result, or with None where one changed one's mind."""

    BINDINGS: ClassVar = [Binding("escape", "cancel", "back")]

    def on_screen_resume(self) -> None:
        """Take away what was said before: it would lie over the dialog."""
        self.app.clear_notifications()

    def action_cancel(self) -> None:
        """Close without a result."""
        self.dismiss(None)


class WorkbenchScreen(Screen[None]):
    """A screen whose actions are bindings with a meaning, each perhaps a command line."""

    SIGNS: ClassVar[Signs] = ()
    """What its signs mean, for the help."""
    _due = 0.0
    """When what is shown may be read again."""

    @property
    def workbench(self) -> Workbench:
        """The application."""
        return cast("Workbench", self.app)

    def on_screen_resume(self) -> None:
        """Take away what was said on another screen: it would hide something of this one."""
        self.app.clear_notifications()

    def words_of(self, action: str) -> Words | None:
        """Return the command line that an action stands for now; None where it has none."""
        return None

    def load(self) -> Any:
        """Return what is shown, read anew; it runs in a thread."""

    def take(self, found: Any) -> None:
        """Show what ``load`` returned."""

    def refuse(self, problem: str) -> None:
        """Say why nothing can be read."""
        self.workbench.say(problem, is_error=True)

    def reload(self) -> None:
        """Read again what is shown: time has passed, or a command may have changed it."""
        self.run_worker(self._load, thread=True, exclusive=True, group="load")

    def reload_every(self, seconds: float) -> None:
        """Read now and again while the screen is seen, and less often what takes long."""
        self.set_interval(seconds, self._reload_if_due)
        # Not before there is something to see: a thread that loads libraries leaves the screen little time.
        self.call_after_refresh(self.reload)

    def _reload_if_due(self) -> None:
        if self.is_current and time.monotonic() >= self._due:
            self.reload()

    def _load(self) -> None:
        began = time.monotonic()
        try:
            show = partial(self.take, self.load())
        except PsaError as error:
            show = partial(self.refuse, printable(error))
        self._due = time.monotonic() + REST * (time.monotonic() - began)
        if not get_current_worker().is_cancelled:
            self.call_later(show)

    def keys(self) -> Iterator[tuple[str, str]]:
        """Go through the keys and their meanings."""
        for _, binding in self._meant():
            yield self.app.get_key_display(binding), binding.tooltip

    def system_commands(self) -> Iterator[SystemCommand]:
        """Go through the actions for the list of commands, each with its key and its command line."""
        for owner, binding in self._meant():
            words = self.words_of(binding.action)
            line = "" if words is None else f"   $ {shown(words)}"
            yield SystemCommand(
                binding.tooltip,
                # The list of commands takes it for markup.
                f"{self.app.get_key_display(binding)}{line}".replace("[", r"\["),
                partial(self.call_later, self.app.run_action, binding.action, owner),
            )

    def _meant(self) -> Iterator[tuple[DOMNode, Binding]]:
        """Go through the bindings that have a meaning, each with what its action belongs to."""
        seen = set()
        for owner, binding, enabled, _ in self.active_bindings.values():
            if binding.tooltip and enabled and not binding.system and binding.action not in seen:
                seen.add(binding.action)
                yield owner, binding
