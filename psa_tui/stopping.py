"""Stopping a run: the first request is answered at the next safe moment, a second one at once."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class LeaveAtOnce(BaseException):
    """A second signal came: unwind now. What is committed stays; the loop under way is lost."""

    def __init__(self, number: int) -> None:
        """``number`` is the signal's."""
        super().__init__(f"second signal {number}")
        self.exit_code = 128 + number


class StopRequest:
    """While it is entered, Ctrl-C, TERM and HUP ask a run to stop instead of killing the process."""

    def __init__(self) -> None:
        """Nothing is requested yet."""
        self.reason: str | None = None
        """Why the run should stop; None while it should not."""
        self.exit_code = 0
        """The exit code the request calls for."""
        self._previous: dict[signal.Signals, object] = {}

    def request(self, reason: str, exit_code: int) -> None:
        """Ask the run to stop at the next safe moment."""
        self.reason, self.exit_code = reason, exit_code

    def __enter__(self) -> StopRequest:
        """Take over the signals; one that is ignored (nohup) stays ignored."""
        for number in _SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Give the signals back."""
        for number, handler in self._previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.reason is not None:
            raise LeaveAtOnce(number)
        names = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "TERM", signal.SIGHUP: "HUP"}
        self.request(names[signal.Signals(number)], 128 + number)
