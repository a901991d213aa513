"""The study's screen, seen from the driver: the drawing process is fed with events; q asks the study to stop."""

from __future__ import annotations

import sys
import time
from typing import TextIO

from psa_tui.cli.output import print_warning
from psa_tui.formatting import printable
from psa_tui.machine.signals import StopRequest
from psa_tui.method.variants import AblationMode
from psa_tui.runs.controls import Control
from psa_tui.studies.events import CellProgressed, StudyEvent, StudyFinished, StudyStarted, as_json
from psa_tui.views.drawing import Drawing
from psa_tui.views.study.plain import StudyPlainView
from psa_tui.views.study.state import StudyState
from psa_tui.views.study.text import format_finished, format_started

_INTERRUPTED = 130


class StudyDashboard:
    """Draws a study on the terminal ``stream``; if that fails, the study goes on in plain lines."""

    def __init__(self, stream: TextIO, stop: StopRequest, *, ascii_only: bool) -> None:
        """Start the drawing process; it touches the terminal when the study begins."""
        self._stream, self._stop = stream, stop
        self._control = Control()
        self._drawing = Drawing(stream, self._control, self._fail, ascii_only=ascii_only, read_only=True)
        self._state = StudyState()
        self._instead: StudyPlainView | None = None

    def handle(self, event: StudyEvent) -> None:
        """Pass the event on, and hear whether somebody pressed q."""
        if self._instead is not None:
            self._instead.handle(event)
            return
        self._state.fold(event, time.monotonic())
        if not (self._drawing.is_behind and isinstance(event, CellProgressed)):
            self._drawing.send({**as_json(event), "age_s": 0.0})
        self._control.poll(AblationMode.NONE)
        if self._control.quit and self._stop.reason is None:
            self._stop.request("q", _INTERRUPTED)
        if isinstance(event, StudyFinished):
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

    def _fail(self) -> None:
        print_warning("the study's screen failed; the study goes on in plain lines")
        self._instead = StudyPlainView(self._stream, state=self._state)

    def _print_result(self, event: StudyFinished) -> None:
        """Leave a record on the normal screen."""
        started: StudyStarted | None = self._state.started
        lines = [*(format_started(started) if started is not None else []), *format_finished(event, self._state)]
        self._stream.writelines(printable(line) + "\n" for line in lines)
        self._stream.flush()
