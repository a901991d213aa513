"""What the person at the screen chose, for the screens of runs and of studies."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import OverflowMethod

from psa_tui.views.glyphs import ASCII, UNICODE, Glyphs


@dataclass(frozen=True, slots=True)
class DisplayOptions:
    """What changes the picture, but not what it shows."""

    scroll: int = 0
    """Lines scrolled back in the log."""
    help: bool = False
    ascii: bool = False
    read_only: bool = False
    """The run goes on in another process: its epochs are not known, and no key reaches it."""

    @property
    def glyphs(self) -> Glyphs:
        """The characters to draw with."""
        return ASCII if self.ascii else UNICODE

    @property
    def overflow(self) -> OverflowMethod:
        """How a line that is too long ends."""
        return "crop" if self.ascii else "ellipsis"
