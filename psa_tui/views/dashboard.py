"""The dashboard, seen from the run or study: the drawing process is fed with events; if it fails, lines replace it."""

from __future__ import annotations

import math
import sys
import time
from abc import ABC, abstractmethod
from typing import ClassVar, Generic, TextIO, TypeVar

from psa_tui.formatting import printable
from psa_tui.method.event_codec import encode_event
from psa_tui.method.events import (
    EarlierLoops,
    EpochProgressed,
    Event,
    MetaLoopFinished,
    RunFinished,
    RunStarted,
    UnitsAblated,
)
from psa_tui.runs.controls import Control
from psa_tui.views.base import View
from psa_tui.views.drawing import Drawing
from psa_tui.views.messages import print_note, print_warning
from psa_tui.views.plain import PlainView
from psa_tui.views.state import curve_of
from psa_tui.views.text import format_session
from psa_tui.views.wrapping import terminal_width, write_lines

AnyEvent = TypeVar("AnyEvent")
_LAST_LOOPS = 5
_SENT_APART_S = 0.05
"""The drawing process looks no sooner for what has come."""


class Dashboard(ABC, Generic[AnyEvent]):
    """Draws on the terminal ``stream`` and lets its keyboard reach ``control``."""

    passing: ClassVar[tuple[type, ...]]
    """Events that are left out while the drawing process is behind, and where what follows them is known already."""
    frequent: ClassVar[tuple[type, ...]] = ()
    """Events that wait for one another: a run of hundreds of loops a second is not held up for each."""
    end: ClassVar[type]
    """The event that is the last one."""
    failure: ClassVar[str]
    """What the user is told when the drawing process is gone."""

    def __init__(self, stream: TextIO, control: Control, *, ascii_only: bool, read_only: bool, stays: bool) -> None:
        """Start the drawing process; it touches the terminal when something is sent.

        With ``read_only`` the only key that reaches ``control`` is q; with ``stays`` the end of the run does not end
        the dashboard.
        """
        self._stream, self._stays = stream, stays
        self._drawing = Drawing(stream, control, self._replace, ascii_only=ascii_only, read_only=read_only)
        self._lines: View[AnyEvent] | None = None
        self._held: list[tuple[AnyEvent, float]] = []
        """Events that were not sent yet, and when they happened."""
        self._sent_at = -math.inf
        """When something that does not pass was sent last."""
        self._said: list[str] = []
        self._warnings: list[str] = []
        """Notes and warnings that only the screen has shown."""

    @abstractmethod
    def _remember(self, event: AnyEvent) -> None:
        """Keep of ``event`` what ``_line_view`` and ``_result`` need."""

    @abstractmethod
    def _line_view(self) -> View[AnyEvent]:
        """Return the view that takes over, in the middle of the run or study, when the drawing process is gone."""

    @abstractmethod
    def _result(self) -> list[str]:
        """Return the record that is left on the normal screen at the end."""

    @property
    def is_drawing(self) -> bool:
        """Whether there is a screen, and not plain lines instead of it."""
        return self._drawing.is_open

    def handle(self, event: AnyEvent, age_s: float = 0.0) -> None:
        """Pass on ``event``, which happened ``age_s`` ago."""
        if self._lines is not None:
            self._lines.handle(event)
            return
        now = time.monotonic()
        if not (self.is_behind and isinstance(event, self.passing)):
            # When it happened, not when it is read: what waits while the screen loads would all be of one moment.
            self._held.append((event, now - age_s))
        if not isinstance(event, self.frequent) or now - self._sent_at >= _SENT_APART_S:
            self.flush()
        if isinstance(event, self.end) and self._lines is None and not self._stays:
            self.close()
            write_lines(self._stream, self._result())

    def _send(self, held: list[tuple[AnyEvent, float]]) -> None:
        last = max((at for at, (event, _) in enumerate(held) if not isinstance(event, self.passing)), default=-1)
        if last >= 0:
            self._sent_at = time.monotonic()
        for at, (event, happened_at) in enumerate(held):
            if at >= last or not isinstance(event, self.passing):
                drawn = curve_of(event) if isinstance(event, EarlierLoops) else event
                self._drawing.add({**encode_event(drawn), "happened_at": happened_at})
        self._drawing.flush()
        for event, _ in held:
            if self._lines is not None:
                self._lines.handle(event)
            else:
                self._remember(event)

    def say(self, note: str) -> None:
        """Show a note on the screen, and again beside the normal output when the screen is left."""
        if self._drawing.is_open:
            self._said.append(note)
            self._drawing.send({"message": note})
        else:
            print_note(note)

    def wait_for(self, what: str) -> None:
        """Show what is under way before the first event."""
        if self._drawing.is_open:
            self._drawing.send({"waits_for": what})

    def flush(self) -> None:
        """Pass on events that wait, and what the drawing process did not take yet: it takes some 64 kB at a time."""
        held, self._held = self._held, []
        self._send(held)

    @property
    def is_behind(self) -> bool:
        """Whether there is something that ``flush`` has to pass on."""
        return self._drawing.is_behind

    def message(self, text: str) -> None:
        """Show a log line."""
        if self._drawing.is_open:
            self._drawing.send({"message": text})
        else:
            print(printable(text), file=sys.stderr)

    def close(self) -> None:
        """Let the drawing process restore the terminal, and wait until it has."""
        self.flush()
        self._drawing.close()
        for pending, show in ((self._said, print_note), (self._warnings, print_warning)):
            while pending:
                show(pending.pop(0))

    def _replace(self) -> None:
        print_warning(self.failure)
        self._lines = self._line_view()


class DashboardView(Dashboard[Event]):
    """The dashboard of a run."""

    passing = (UnitsAblated, EpochProgressed)
    frequent = (UnitsAblated, EpochProgressed, MetaLoopFinished)
    end = RunFinished
    failure = "the dashboard failed; the run goes on in plain lines"

    def __init__(
        self, stream: TextIO, control: Control, *, ascii_only: bool, read_only: bool = False, stays: bool | None = None
    ) -> None:
        """With ``read_only`` the run is another's; its end does not end the dashboard, unless ``stays`` is false."""
        self._started: RunStarted | None = None
        self._loops: list[MetaLoopFinished] = []
        self._modes: list[str] = []
        self._finished: RunFinished | None = None
        stays = read_only if stays is None else stays
        super().__init__(stream, control, ascii_only=ascii_only, read_only=read_only, stays=stays)

    def _remember(self, event: Event) -> None:
        match event:
            case RunStarted():
                self._started, self._modes = event, [event.mode]
                self._warnings += event.notices
            case MetaLoopFinished():
                if self._modes[-1:] != [event.mode]:
                    self._modes.append(event.mode)
                self._loops = [*self._loops[1 - _LAST_LOOPS :], event]
            case RunFinished():
                self._finished = event

    def _line_view(self) -> View[Event]:
        view = PlainView(self._stream)
        if self._started is not None:
            view.handle(self._started)
        return view

    def _result(self) -> list[str]:
        assert self._finished is not None
        width = terminal_width(self._stream)
        return format_session(self._started, self._modes, self._loops, self._finished, width)
