"""What the person at the screen chose, for the screens of runs and of studies."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rich.console import OverflowMethod

from psa_tui.views.glyphs import ASCII, UNICODE, Glyphs
from psa_tui.views.unit_marks import Measure, Unit

_FEWEST = 10
"""Loops below which a chart zooms in no further."""


@dataclass(frozen=True, slots=True)
class ChartWindow:
    """Which loops the charts of a run show, and the one that is read out. Loops count from 1."""

    span: int | None = None
    """How many loops are shown; None for all."""
    last: int | None = None
    """The last one shown; None for the newest, which the window then follows."""
    cursor: int | None = None
    """The loop whose values are read out."""
    whole_scale: bool = False
    """Whether the scale holds the worst candidate too, instead of where the run has settled."""

    def bounds(self, first: int, newest: int) -> tuple[int, int]:
        """Return the first and the last loop shown, of a run with loops ``first`` to ``newest``."""
        last = newest if self.last is None else min(max(self.last, first), newest)
        if self.span is None or self.span >= newest - first + 1:
            return first, newest
        start = max(last - self.span + 1, first)
        return start, min(start + self.span - 1, newest)

    def zoomed(self, first: int, newest: int, factor: float) -> ChartWindow:
        """Show ``factor`` times as many loops, the cursor or else the newest in their midst or at their end."""
        start, end = self.bounds(first, newest)
        span = max(round((end - start + 1) * factor), _FEWEST)
        if span >= newest - first + 1:
            return replace(self, span=None, last=None)
        if self.cursor is None:
            return replace(self, span=span, last=self.last)
        last = min(max(self.cursor + span // 2, first + span - 1), newest)
        return replace(self, span=span, last=None if last == newest else last)

    def panned(self, first: int, newest: int, part: float) -> ChartWindow:
        """Show earlier (``part`` below zero) or later loops, by that part of those shown."""
        start, end = self.bounds(first, newest)
        if (start, end) == (first, newest):
            return self
        step = max(round(abs(part) * (end - start + 1)), 1) * (1 if part > 0 else -1)
        last = min(max(end + step, first + end - start), newest)
        return replace(self, last=None if last == newest else last)

    def with_cursor(self, first: int, newest: int, cursor: int) -> ChartWindow:
        """Read out ``cursor``, or the loop nearest to it; the window moves as far as it must to show it."""
        cursor = min(max(cursor, first), newest)
        start, end = self.bounds(first, newest)
        last = self.last
        if cursor < start:
            last = cursor + end - start
        elif cursor > end:
            last = None if cursor == newest else cursor
        return replace(self, cursor=cursor, last=last)


@dataclass(frozen=True, slots=True)
class DisplayOptions:
    """What changes the picture, but not what it shows."""

    scroll: int = 0
    """Lines scrolled back in the list of messages."""
    log_top: int | None = None
    """The meta-loop that the log begins with, which stays where it is as others come; None for the newest."""
    ascii: bool = False
    read_only: bool = False
    """The run goes on in another process: its epochs are not known, and no key reaches it."""
    chart: ChartWindow = ChartWindow()
    log_filter: str = ""
    """Only lines of the log with this in them are shown."""
    measure: Measure = Measure.FATE
    """What the map of the network shows."""
    unit: Unit | None = None
    """Layer and index of the unit that the map reads out."""
    hides_warnings: bool = False
    """Whether the run has warnings for which the screen has no room."""

    @property
    def glyphs(self) -> Glyphs:
        """The characters to draw with."""
        return ASCII if self.ascii else UNICODE

    @property
    def overflow(self) -> OverflowMethod:
        """How a line that is too long ends."""
        return "crop" if self.ascii else "ellipsis"
