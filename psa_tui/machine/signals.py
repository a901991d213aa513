"""Stopping a run: the first request is answered at the next safe moment, a second one at once.

Before the first meta-loop (while libraries, data and checkpoint load) nothing can be lost, and the first
request is answered at once too.
"""

from __future__ import annotations

import gc
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType

_NAMES = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "TERM", signal.SIGHUP: "HUP"}


_PATIENCE_S = 3.0
"""How long a run may take to reach a safe moment after it was asked to stop."""


class LeaveAtOnce(BaseException):
    """Unwind now. What is committed stays; the loop under way, if there is one, is lost."""

    def __init__(self, reason: str, exit_code: int) -> None:
        """``reason`` names the signal."""
        super().__init__(reason)
        self.exit_code = exit_code


class StopRequest:
    """While it is entered, Ctrl-C, TERM and HUP ask a run to stop instead of killing the process."""

    def __init__(self) -> None:
        """Nothing is requested yet."""
        self.reason: str | None = None
        """Why the run should stop; None while it should not."""
        self.exit_code = 0
        """The exit code the request calls for."""
        self.in_loops = False
        """Whether meta-loops are under way, so that a first request has something to commit."""
        self._previous: dict[signal.Signals, object] = {}
        self._loading = False
        self._waiting: LeaveAtOnce | None = None

    def request(self, reason: str, exit_code: int) -> None:
        """Ask the run to stop at the next safe moment, or, when none comes in time, wherever it is."""
        if self.reason is None:
            self.reason, self.exit_code = reason, exit_code
            signal.setitimer(signal.ITIMER_REAL, _PATIENCE_S)

    def reached(self) -> None:
        """Note that all is committed: what is left to do, such as closing a cluster, may take as long as it does."""
        signal.setitimer(signal.ITIMER_REAL, 0)

    def __enter__(self) -> StopRequest:
        """Take over the signals; one that is ignored (nohup) stays ignored."""
        for number in _NAMES:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._previous[number] = signal.signal(number, self._handle)
        self._previous[signal.SIGALRM] = signal.signal(signal.SIGALRM, self._lose_patience)
        return self

    def _lose_patience(self, number: int, frame: FrameType | None) -> None:
        """Every finished loop is committed already, so nothing is lost but the one under way."""
        raise LeaveAtOnce(self.reason or "a timer", self.exit_code)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Give the signals back."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in self._previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    @contextmanager
    def loading(self) -> Iterator[None]:
        """While libraries load, a request waits for the end: an exception within C++ would abort the process.

        Their million objects stay, so no garbage is looked for among them: that would take a fifth of a second.
        """
        self._loading = True
        gc.disable()
        try:
            yield
        finally:
            gc.freeze()
            gc.enable()
            self._loading = False
        if self._waiting is not None:
            raise self._waiting

    def _handle(self, number: int, frame: FrameType | None) -> None:
        name = _NAMES[signal.Signals(number)]
        if self._loading:
            self._waiting = LeaveAtOnce(name, 128 + number)
            return
        if self.reason is not None:
            raise LeaveAtOnce(f"{self.reason}, then {name}", 128 + number)
        if not self.in_loops:
            raise LeaveAtOnce(name, 128 + number)
        self.request(name, 128 + number)
