"""One line a meta-loop, and a sign of life every minute: for pipes, logs and screen readers."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TextIO

from psa_tui.formatting import printable
from psa_tui.method.events import EpochProgressed, Event, MetaLoopFinished, RunFinished, RunStarted
from psa_tui.method.layer_names import LayerNames
from psa_tui.views.text import format_finished, format_loop, format_started

_HEARTBEAT_S = 60.0


class PlainView:
    """Writes lines to ``stream``, without control codes, each flushed at once."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        """``clock`` gives seconds."""
        self._stream = stream
        self._clock = clock
        self._last_line = clock()
        self._last_meta_loop = 0
        self._names = LayerNames()

    def handle(self, event: Event) -> None:
        """Print what the event means; epochs only speak up when nothing was printed for a minute."""
        if isinstance(event, RunStarted):
            self._last_meta_loop, self._names = event.last_meta_loop, event.names
            self._print(*format_started(event))
        elif isinstance(event, MetaLoopFinished):
            self._print(format_loop(event, self._last_meta_loop, self._names))
        elif isinstance(event, EpochProgressed) and self._clock() - self._last_line >= _HEARTBEAT_S:
            part = 100 * event.images / event.image_count
            self._print(f"loop {event.meta_loop}/{self._last_meta_loop}  epoch {part:.0f} %  loss {event.loss:.4f}")
        elif isinstance(event, RunFinished):
            self._print(*format_finished(event))

    def close(self) -> None:
        """Nothing to give back."""

    def _print(self, *lines: str) -> None:
        for line in lines:
            self._stream.write(printable(line) + "\n")
        self._stream.flush()
        self._last_line = self._clock()


class QuietView:
    """Writes the result, and nothing before it."""

    def __init__(self, stream: TextIO) -> None:
        """``stream`` receives the last lines."""
        self._stream = stream

    def handle(self, event: Event) -> None:
        """Print how the run ended and what it reached."""
        if isinstance(event, RunFinished):
            self._stream.writelines(printable(line) + "\n" for line in format_finished(event))
            self._stream.flush()

    def close(self) -> None:
        """Nothing to give back."""
