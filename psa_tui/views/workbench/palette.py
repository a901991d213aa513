"""The colours of the curves, on a dark and on a light ground."""

from __future__ import annotations

from dataclasses import dataclass

from textual.theme import Theme

LIGHT_THEME = Theme(
    name="psa-light",
    dark=False,
    primary="#0b57b0",
    secondary="#7a2f8f",
    accent="#8a5a00",
    warning="#8a5a00",
    error="#b3261e",
    success="#1a7f37",
    foreground="#1f2328",
    background="#fbfbfa",
    surface="#eceef1",
    panel="#dfe3e8",
)
"""Dark enough inks that also what is dim has a contrast of 4.5 to its ground."""


@dataclass(frozen=True, slots=True)
class Palette:
    """Rich styles."""

    promoted: str
    candidate: str
    lkg: str
    muted: str


DARK = Palette(promoted="bold #4ebf71", candidate="#5aa9e6", lkg="#ffb454", muted="dim")
LIGHT = Palette(promoted="bold #1a7f37", candidate="#0969da", lkg="#7d4e00", muted="dim")


def palette_of(*, is_dark: bool) -> Palette:
    """Return the colours that are read well on the ground of a theme."""
    return DARK if is_dark else LIGHT
