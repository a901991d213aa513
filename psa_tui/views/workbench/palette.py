"""The colours of the curves, on a dark and on a light ground."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Palette:
    """Rich styles."""

    promoted: str
    candidate: str
    lkg: str
    muted: str


DARK = Palette(promoted="bold #4ebf71", candidate="#5aa9e6", lkg="#ffb454", muted="dim")
LIGHT = Palette(promoted="bold #1a7f37", candidate="#0969da", lkg="#9a6700", muted="dim")


def palette_of(*, is_dark: bool) -> Palette:
    """Return the colours that are read well on the ground of a theme."""
    return DARK if is_dark else LIGHT
