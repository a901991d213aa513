"""The dashboard of a study; its key q asks the study to stop."""

from __future__ import annotations

import time
from typing import TextIO

from psa_tui.machine.signals import StopRequest
from psa_tui.runs.controls import Control
from psa_tui.studies.events import CellProgressed, StudyEvent, StudyFinished
from psa_tui.views.base import View
from psa_tui.views.dashboard import Dashboard
from psa_tui.views.study.plain import StudyPlainView
from psa_tui.views.study.state import StudyState
from psa_tui.views.study.text import format_finished, format_started

_INTERRUPTED = 130


class StudyDashboard(Dashboard[StudyEvent]):
    """Draws a study on the terminal."""

    passing = (CellProgressed,)
    end = StudyFinished
    failure = "the study's screen failed; the study goes on in plain lines"

    def __init__(self, stream: TextIO, stop: StopRequest, *, ascii_only: bool) -> None:
        """``stop`` is asked when somebody presses q."""
        self._stop, self._control, self._state = stop, Control(), StudyState()
        super().__init__(stream, self._control, ascii_only=ascii_only, read_only=True, stays=False)

    def handle(self, event: StudyEvent, age_s: float = 0.0) -> None:
        """Pass on ``event``, and hear whether somebody pressed q."""
        super().handle(event, age_s)
        self._control.poll("")
        if self._control.quit and self._stop.reason is None:
            self._stop.request("q", _INTERRUPTED)

    def _remember(self, event: StudyEvent) -> None:
        self._state.fold(event, time.monotonic())

    def _line_view(self) -> View[StudyEvent]:
        return StudyPlainView(self._stream, state=self._state)

    def _result(self) -> list[str]:
        assert self._state.finished is not None
        started = format_started(self._state.started) if self._state.started is not None else []
        return [*started, *format_finished(self._state.finished, self._state)]
