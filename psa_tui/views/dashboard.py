"""The dashboard, seen from the run: the drawing process is fed with events, and if it fails, lines take its place."""

from __future__ import annotations

import sys
from typing import TextIO

from psa_tui.cli.output import print_warning
from psa_tui.formatting import printable
from psa_tui.method.events import EpochProgressed, Event, MetaLoopFinished, RunFinished, RunStarted, as_json
from psa_tui.runs.controls import Control
from psa_tui.views.drawing import Drawing
from psa_tui.views.plain import PlainView
from psa_tui.views.text import format_finished, format_loop, format_started

_LAST_LOOPS = 5


class DashboardView:
    """Draws the run on the terminal ``stream`` and lets its keyboard reach ``control``."""

    def __init__(self, stream: TextIO, control: Control, *, ascii_only: bool, read_only: bool = False) -> None:
        """Start the drawing process; it touches the terminal when the run starts.

        With ``read_only`` the run is another process's: the only key that reaches ``control`` is q, and the
        end of the run does not end the dashboard.
        """
        self._stream = stream
        self._drawing = Drawing(stream, control, self._go_on_in_plain_lines, ascii_only=ascii_only, read_only=read_only)
        self._instead: PlainView | None = None
        self._read_only = read_only
        self._started: RunStarted | None = None
        self._loops: list[MetaLoopFinished] = []

    @property
    def is_drawing(self) -> bool:
        """Whether there is a screen, and not plain lines in its place."""
        return self._drawing.is_open

    def handle(self, event: Event, age_s: float = 0.0) -> None:
        """Pass on the event, which happened ``age_s`` ago.

        An epoch's progress is left out while the drawing process is behind.
        """
        if isinstance(event, RunStarted):
            self._started = event
        elif isinstance(event, MetaLoopFinished):
            self._loops = [*self._loops[1 - _LAST_LOOPS :], event]
        if self._instead is not None:
            self._instead.handle(event)
            return
        if not (self._drawing.is_behind and isinstance(event, EpochProgressed)):
            self._drawing.send({**as_json(event), "age_s": age_s})
        if self._instead is not None:
            if event is not self._started:
                self._instead.handle(event)
            return
        if isinstance(event, RunFinished) and not self._read_only:
            self.close()
            self._print_result(event)

    def message(self, text: str) -> None:
        """Show a log line."""
        if self._drawing.is_open:
            self._drawing.send({"message": text})
        else:
            print(text, file=sys.stderr)

    def close(self) -> None:
        """Let the drawing process restore the terminal, and wait until it has."""
        self._drawing.close()

    def _go_on_in_plain_lines(self) -> None:
        print_warning("the dashboard failed; the run goes on in plain lines")
        self._instead = PlainView(self._stream)
        if self._started is not None:
            self._instead.handle(self._started)

    def _print_result(self, event: RunFinished) -> None:
        """Leave a record on the normal screen."""
        lines = format_started(self._started) if self._started is not None else []
        lines += [format_loop(loop, event.last_meta_loop) for loop in self._loops]
        self._stream.writelines(printable(line) + "\n" for line in [*lines, *format_finished(event)])
        self._stream.flush()
