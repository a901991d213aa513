"""Which output the settings and the terminal call for."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from psa_tui.errors import ConfigError
from psa_tui.settings import Settings
from psa_tui.views.base import View
from psa_tui.views.messages import print_warning

if TYPE_CHECKING:
    from psa_tui.method.events import Event
    from psa_tui.views.notify import NotifyView


class WithWarnings:
    """Shows a run by another view, and says on stderr what a user must know before trusting the numbers."""

    def __init__(self, view: View[Event]) -> None:
        """``view`` gets all events."""
        self._view = view

    def handle(self, event: Event) -> None:
        """Pass on ``event``, after its warnings."""
        from psa_tui.method.events import RunStarted

        if isinstance(event, RunStarted):
            for notice in event.notices:
                print_warning(notice)
        self._view.handle(event)

    def close(self) -> None:
        """Close the view."""
        self._view.close()


def chosen_output(settings: Settings) -> str:
    """``json``, ``quiet`` or ``plain``, whichever the source of highest precedence asks for; else an empty string.

    Raises:
        ConfigError: one source asks for two of them.
    """
    found = {name: settings.find(name) for name in ("json", "quiet", "plain")}
    asked = {name: value.rank for name, value in found.items() if value is not None and value.value}
    chosen = [name for name, rank in asked.items() if rank == min(asked.values())]
    if len(chosen) > 1:
        raise ConfigError(f"--{chosen[0]} and --{chosen[1]} exclude each other; choose one")
    return chosen[0] if chosen else ""


def can_draw() -> bool:
    """Whether stdout is a terminal on which a cursor can move."""
    return sys.stdout.isatty() and os.environ.get("TERM", "dumb") not in ("dumb", "unknown")


def owns_terminal() -> bool:
    """Whether an application can take the whole terminal: all three standard streams are one."""
    return can_draw() and sys.stdin.isatty() and sys.stderr.isatty()


def can_ask(settings: Settings) -> bool:
    """Whether somebody sees a question and can answer it: nothing is piped, and no output for programs is asked for."""
    streams = (sys.stdin, sys.stdout, sys.stderr)
    return chosen_output(settings) in ("", "plain") and all(one is not None and one.isatty() for one in streams)


def draws_in_ascii(settings: Settings) -> bool:
    """Whether pictures keep to ASCII: it was asked for, or stdout has no more."""
    return bool(settings.get("ascii")) or not has_unicode()


def has_unicode() -> bool:
    """Whether stdout has more than ASCII."""
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"


@contextmanager
def notifications(settings: Settings) -> Iterator[list[NotifyView]]:
    """Give the view that ``--notify`` asks for, if it does, and close it at the end, after all others.

    Raises:
        ConfigError: as ``NotifyView``.
    """
    found = settings.find("notify")
    if found is None:
        yield []
        return
    from psa_tui.views.notify import NotifyView

    view = NotifyView(found.value, found.origin)
    try:
        yield [view]
    finally:
        view.close()
