"""A study as lines, for pipes, logs and screen readers."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TextIO

from psa_tui.formatting import printable
from psa_tui.studies.events import CellProgressed, StudyEvent, StudyFinished, StudyStarted
from psa_tui.views.study.state import StudyState
from psa_tui.views.study.text import format_finished, format_progress, format_started

_EVERY_S = 60.0


class StudyPlainView:
    """Writes what happens to ``stream``, and once a minute where the study stands; each line flushed at once."""

    def __init__(
        self,
        stream: TextIO,
        quiet: bool = False,
        clock: Callable[[], float] = time.monotonic,
        state: StudyState | None = None,
    ) -> None:
        """``quiet`` leaves only the result; ``clock`` gives seconds; ``state`` is that of a study under way."""
        self._stream, self._quiet, self._clock = stream, quiet, clock
        self._state = state or StudyState()
        self._due = clock() + _EVERY_S

    def handle(self, event: StudyEvent) -> None:
        """Print what the event means; progress only once a minute."""
        now = self._clock()
        before = self._state.message_count
        self._state.fold(event, now)
        if isinstance(event, StudyFinished):
            self._print(*format_finished(event, self._state))
        elif self._quiet:
            return
        elif isinstance(event, StudyStarted):
            self._print(*format_started(event))
        elif isinstance(event, CellProgressed) and now >= self._due:
            self._due = now + _EVERY_S
            self._print(format_progress(self._state, now))
        self._print(*reversed(list(self._state.messages)[: self._state.message_count - before]))

    def close(self) -> None:
        """Nothing to give back."""

    def _print(self, *lines: str) -> None:
        self._stream.writelines(printable(line) + "\n" for line in lines)
        self._stream.flush()
