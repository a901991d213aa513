"""The last frame of the dashboard as an SVG picture."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from psa_tui.errors import PsaError
from psa_tui.method.events import Event, RunFinished
from psa_tui.views.display import DisplayOptions
from psa_tui.views.screen import FULL_SIZE, render
from psa_tui.views.state import RunState


class SvgView:
    """Draws nothing until the run ends, then writes ``path``."""

    def __init__(self, path: Path, options: DisplayOptions, clock: Callable[[], float] = time.monotonic) -> None:
        """``clock`` gives seconds."""
        self._path, self._options, self._clock = path, options, clock
        self._state = RunState()

    def handle(self, event: Event) -> None:
        """Fold the event in; the run's last one makes the picture."""
        self._state.fold(event, self._clock())
        if isinstance(event, RunFinished):
            width, height = FULL_SIZE
            console = Console(
                record=True,
                file=io.StringIO(),
                width=width,
                height=height,
                force_terminal=True,
                color_system="truecolor",
            )
            console.print(render(self._state, width, height, self._clock(), self._options), height=height)
            try:
                self._path.write_text(console.export_svg(title="psa train"), encoding="utf-8")
            except OSError as error:
                raise PsaError(f"{self._path}: the picture cannot be written ({error.strerror})") from None

    def close(self) -> None:
        """Nothing to give back."""
