"""What the application knows of the screens that it shows; they are loaded once they are needed."""

from __future__ import annotations

import time
from collections.abc import Callable

from textual.screen import Screen

from psa_tui.views.display import DisplayOptions
from psa_tui.views.live.feed import Feed


class LiveScreen(Screen[None]):
    """Shows a run or a study as it goes on."""

    def __init__(self, feed: Feed, options: DisplayOptions, clock: Callable[[], float] = time.monotonic) -> None:
        """``clock`` gives seconds, as that of ``feed`` does."""
        super().__init__()
        self.feed, self.options, self._clock = feed, options, clock

    def redraw(self, *, only_clock: bool = False) -> None:
        """Draw all anew, or what changes with the time alone."""
        raise NotImplementedError
