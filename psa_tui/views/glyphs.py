"""The characters screens are made of, in two sets: Unicode, and ASCII for terminals that have no more."""

from __future__ import annotations

from dataclasses import dataclass

from rich import box


@dataclass(frozen=True, slots=True, kw_only=True)
class Glyphs:
    """One character for each thing; every meaning is a shape, colour only repeats it."""

    frame: box.Box
    rule: str
    bar: str
    bar_rest: str
    promoted: str
    lkg: str
    majority: str
    below: str
    above: str
    change: str
    dot: str
    untouched: str
    hit: str
    survived: str
    dead: str
    now: str
    waiting: str
    running: str
    begun: str
    failed: str
    cursor: str
    """Left of the row of a cursor."""
    cursor_below: str
    """Below its column."""
    strip: str
    """Nine characters, from nothing to most."""


UNICODE = Glyphs(
    frame=box.ROUNDED,
    rule="─",
    bar="━",
    bar_rest="╌",
    promoted="▲",
    lkg="━",
    majority="┄",
    below="▾",
    above="▴",
    change="┊",
    dot="•",
    untouched="·",
    hit="○",
    survived="●",
    dead="×",
    now="◆",
    waiting="·",
    running="◆",
    begun="○",
    failed="×",
    cursor="▸",
    cursor_below="▴",
    strip=" ▁▂▃▄▅▆▇█",
)
ASCII = Glyphs(
    frame=box.ASCII,
    rule="-",
    bar="#",
    bar_rest="-",
    promoted="^",
    lkg="=",
    majority="-",
    below="v",
    above="^",
    change=":",
    dot=".",
    untouched=".",
    hit="o",
    survived="O",
    dead="x",
    now="@",
    waiting=".",
    running="@",
    begun="o",
    failed="x",
    cursor=">",
    cursor_below="^",
    strip=" .:-=+*#%",
)
