"""What all views have in common. A view only reads events, of runs or of studies, and imports no engine."""

from __future__ import annotations

from collections import deque
from typing import Any, Protocol, TypeVar

AnyEvent = TypeVar("AnyEvent", contravariant=True)


class View(Protocol[AnyEvent]):
    """Shows a run (``View[Event]``) or a study (``View[StudyEvent]``); it may fail without harm to either."""

    def handle(self, event: AnyEvent) -> None:
        """Take note of ``event``; events come in order, each after what it reports was written to disk."""

    def close(self) -> None:
        """Give back what was taken, such as the terminal; the run or study is over, or failed."""


class State(Protocol):
    """What the drawing process knows of a run or a study: events folded into plain values."""

    messages: deque[str]
    """Log lines and notices, newest first."""

    @property
    def started(self) -> object | None:
        """The event with which the run or study began; None before."""

    @property
    def finished(self) -> object | None:
        """The event with which it ended; None before."""

    @property
    def is_still(self) -> bool:
        """Whether the picture stays as it is until something comes."""

    @property
    def scrollable(self) -> int:
        """How many lines there are to scroll through."""

    def fold(self, event: Any, now: float) -> None:
        """Take in ``event``, which came at ``now`` (seconds on any clock)."""
