"""The last frame of the dashboard as an SVG picture."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from psa_tui.errors import ConfigError
from psa_tui.method.event_codec import printable_event
from psa_tui.method.events import Event, RunFinished
from psa_tui.storage.atomic_write import atomic_write
from psa_tui.views.display import DisplayOptions
from psa_tui.views.live.still import draw_svg
from psa_tui.views.state import RunState

_SIZE = (120, 38)


class SvgView:
    """Draws nothing until the run ends, then writes ``path``."""

    def __init__(self, path: Path, options: DisplayOptions, clock: Callable[[], float] = time.monotonic) -> None:
        """Make sure, before anything runs, that ``path`` can be written; ``clock`` gives seconds.

        Raises:
            ConfigError: it cannot.
        """
        if path.is_dir() or not os.access(path.parent, os.W_OK | os.X_OK):
            problem = (
                "is a folder" if path.is_dir() else "cannot be written (there is no such folder, or no permission)"
            )
            raise ConfigError(f"--save-svg {path}: {problem}; name a file in a folder that is there")
        self._path, self._options, self._clock = path, options, clock
        self._state = RunState()

    def handle(self, event: Event) -> None:
        """Fold the event in; the run's last one makes the picture.

        Raises:
            OSError: it cannot be written.
        """
        self._state.fold(printable_event(event), self._clock())
        if isinstance(event, RunFinished):
            picture = draw_svg(self._state, _SIZE, self._clock(), self._options, "psa train")
            atomic_write(self._path, picture.encode())

    def close(self) -> None:
        """Nothing to give back."""
