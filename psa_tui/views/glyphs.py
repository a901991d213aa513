"""The characters screens are made of, in two sets: Unicode, and ASCII for terminals that have no more."""

from __future__ import annotations

from dataclasses import dataclass

from rich import box


@dataclass(frozen=True, slots=True)
class Glyphs:
    """One character for each thing; every meaning is a shape, colour only repeats it."""

    frame: box.Box
    bar: str
    bar_rest: str
    promoted: str
    rolled_back: str
    lkg: str
    majority: str
    mean: str
    extreme: str
    untouched: str
    hit: str
    survived: str
    now: str
    dash: str


UNICODE = Glyphs(
    frame=box.ROUNDED,
    bar="━",
    bar_rest="╌",
    promoted="▲",
    rolled_back="·",
    lkg="━",
    majority="┄",
    mean="•",
    extreme="·",
    untouched="·",
    hit="○",
    survived="●",
    now="◆",
    dash="—",
)
ASCII = Glyphs(
    frame=box.ASCII,
    bar="#",
    bar_rest="-",
    promoted="^",
    rolled_back=".",
    lkg="=",
    majority="-",
    mean="o",
    extreme=".",
    untouched=".",
    hit="o",
    survived="O",
    now="@",
    dash="-",
)
