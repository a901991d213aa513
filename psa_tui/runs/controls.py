"""What a person at the keyboard asks of a run while it runs: a small state that the runner obeys."""

from __future__ import annotations

import logging
import os
import select

from psa_tui.method.events import ControlChanged
from psa_tui.method.variants import PUBLISHED, describe_variant, with_axes

PAUSE, MODE, STOP, QUIT, LOG = "pause", "mode", "stop", "quit", "log"
"""The commands, a line each, as they come through the pipe; the name of a mode stands behind ``MODE``."""
_LEVELS = (logging.WARNING, logging.INFO, logging.DEBUG)


def modes_to_choose(mode: str) -> tuple[str, ...]:
    """Return the modes that a run in ``mode`` can go on in.

    What promotes on half of the validation images goes on doing so: the run reports the others.
    """
    variant = describe_variant(mode)
    axes = {"promote": variant.promotion} if variant.splits_validation else {}
    return tuple(with_axes(published, axes).name for published in PUBLISHED)


class Control:
    """Reads commands from a pipe, when there is one, and remembers what they ask for."""

    def __init__(self) -> None:
        """Nothing is asked, and nobody can ask."""
        self.paused = False
        self.stop_after_loop = False
        self.quit = False
        self.next_mode: str | None = None
        self._logger = logging.getLogger("psa_tui")
        self._source: int | None = None
        self._unread = b""

    def listen(self, descriptor: int) -> None:
        """Take commands from ``descriptor``, the reading end of a pipe."""
        os.set_blocking(descriptor, False)
        self._source = descriptor

    def poll(self, mode: str, wait_s: float = 0.0) -> ControlChanged | None:
        """Take note of new commands, waiting for one at most ``wait_s`` seconds; ``mode`` is the one in force.

        Returns:
            What is asked for now, when that has changed.
        """
        if self._source is None or not select.select([self._source], [], [], wait_s)[0]:
            return None
        received = os.read(self._source, 256)
        if not received:
            self._source = None
            self.paused = False
        *lines, self._unread = (self._unread + received).split(b"\n")
        for line in lines:
            self._obey(line.decode(), mode)
        return self.state()

    def state(self) -> ControlChanged:
        """What is asked for now."""
        return ControlChanged(
            paused=self.paused,
            stop_after_loop=self.stop_after_loop,
            next_mode=self.next_mode,
            log_level=logging.getLevelName(self._logger.level).lower(),
        )

    def _obey(self, line: str, mode: str) -> None:
        command, _, value = line.partition(" ")
        if command == PAUSE:
            self.paused = not self.paused
        elif command == MODE and value in modes_to_choose(mode):
            self.next_mode = None if value == mode else value
        elif command == STOP:
            self.stop_after_loop = not self.stop_after_loop
        elif command == QUIT:
            self.quit = True
        elif command == LOG:
            following = (_LEVELS.index(self._logger.getEffectiveLevel()) + 1) % len(_LEVELS)
            self._logger.setLevel(_LEVELS[following])
