"""Watching a search from the script that it runs in: the dashboard on a terminal, lines anywhere else."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

from psa_tui.method.events import Event, RunStarted
from psa_tui.runs.controls import Control
from psa_tui.views.dashboard import DashboardView
from psa_tui.views.messages import print_note
from psa_tui.views.output import can_draw, has_unicode
from psa_tui.views.plain import PlainView

if TYPE_CHECKING:
    from psa_tui.search import Search


def watch(search: Search, *, lines: bool = False) -> None:
    """Show the loops of ``search`` from now on: on a terminal as the dashboard, else, or with ``lines``, line by line.

    The dashboard has the terminal while ``search.loops`` goes on, so a script that prints in its loop takes ``lines``.
    """
    search.teller.makers = [lambda: PlainView(sys.stdout) if lines or not _can_draw() else _Screen()]


def _can_draw() -> bool:
    # A dashboard answers Ctrl-Z, and only the main thread may take over signals.
    return can_draw() and threading.current_thread() is threading.main_thread()


class _Screen:
    """The dashboard; q leaves it, and lines go on."""

    def __init__(self) -> None:
        self._control = Control()
        self._screen: DashboardView | None = DashboardView(
            sys.stdout, self._control, ascii_only=not has_unicode(), read_only=True, stays=False
        )
        self._lines = PlainView(sys.stdout)
        self._started: RunStarted | None = None

    def handle(self, event: Event) -> None:
        """Draw ``event``, or print it where q was pressed."""
        if isinstance(event, RunStarted):
            self._started = event
        if self._screen is not None:
            self._control.poll("")
            if self._control.quit:
                self.close()
                print_note("left the dashboard; the search goes on in lines")
                if self._started is not None:
                    self._lines.handle(self._started)
        (self._lines if self._screen is None else self._screen).handle(event)

    def close(self) -> None:
        """Give the terminal back."""
        if self._screen is not None:
            self._screen.close()
            self._screen = None
