"""The characters the study's screen is made of, in Unicode and in ASCII."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StudyGlyphs:
    """One character for each thing; every meaning is a shape, colour only repeats it."""

    waiting: str
    running: str
    begun: str
    failed: str
    bar: str
    bar_rest: str
    rule: str
    strip: str
    """From nothing to most."""


UNICODE = StudyGlyphs("·", "◆", "○", "×", "━", "╌", "─", " ▁▂▃▄▅▆▇█")
ASCII = StudyGlyphs(".", "@", "o", "x", "#", "-", "-", " .:-=+*#%")
