"""What a mark of the network map stands for: its character, its style, and the words for it."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass, field
from enum import StrEnum

from psa_tui.analysis.unit_map import UnitMap
from psa_tui.formatting import count, first_fitting, points
from psa_tui.runs.ablation_statistics import NetworkAblations, Tally
from psa_tui.views.glyphs import Glyphs

Unit = tuple[int, int]
"""Layer and index in the layer."""


class Measure(StrEnum):
    """What a mark says of its units."""

    FATE = "fate"
    """Whether a hit on them was survived."""
    HITS = "hits"
    PROMOTIONS = "promotions"
    """How many of the candidates with a hit on them were promoted."""
    GAIN = "mean gain"


STYLES = {"untouched": "dim", "hit": "red", "survived": "green", "dead": "yellow", "now": "bold reverse"}
GAIN_STEPS = (0.1, 1.0, 10.0)
"""Points of mean gain from which on a mark is one step further from that of no gain."""
GAIN_STYLES = ("bold red", "red", "yellow", "dim", "cyan", "blue", "bold blue")
"""From what harms most to what helps most."""
COUNT_STYLES = ("cyan", "cyan", "cyan", "blue", "blue", "bold blue", "bold blue")
LEVELS = range(2, 9)
"""The characters of a strip that are used: the first two are like none and like ``untouched``."""


@dataclass(slots=True)
class Mark:
    """What is known of the units that a mark stands for."""

    tally: Tally = field(default_factory=Tally)
    dead: int = 0
    are_all_dead: bool = False
    now: bool = False

    def number(self, measure: Measure) -> int:
        """Return its hits or its promotions."""
        return self.tally.promoted if measure is Measure.PROMOTIONS else self.tally.ablated

    def drawn(self, measure: Measure, most: int, glyphs: Glyphs, width: int = 1) -> tuple[str, str]:
        """Return its shape, ``width`` characters, and its style; ``most`` is the greatest ``number`` of all marks."""
        step = self._step(measure, most)
        if step is not None:
            styles = GAIN_STYLES if measure is Measure.GAIN else COUNT_STYLES
            return glyphs.strip[LEVELS[step]] * width, styles[step]
        name = self._name(measure)
        return f"{getattr(glyphs, name):^{width}}", STYLES[name]

    def _name(self, measure: Measure) -> str:
        """Return what happened to its units in one word, a glyph's."""
        if self.now:
            return "now"
        if self.are_all_dead or (self.dead and measure is Measure.FATE):
            return "dead"
        if measure is Measure.FATE and self.tally.ablated:
            return "survived" if self.tally.survived else "hit"
        return "untouched"

    def _step(self, measure: Measure, most: int) -> int | None:
        """Return its height on the scale of ``measure``, from 0 to 6; None where it has none."""
        if self._name(measure) != "untouched" or measure is Measure.FATE:
            return None
        if measure is Measure.GAIN:
            return None if self.tally.mean_gain is None else gain_step(self.tally.mean_gain)
        return (self.number(measure) * len(LEVELS) - 1) // most if self.number(measure) else None


def gain_step(gain: float) -> int:
    """Return the step of a mean gain (a fraction): 0 harms most, 3 is about nothing, 6 helps most."""
    size = bisect_right(GAIN_STEPS, round(abs(100 * gain), 9))
    return len(GAIN_STEPS) + (size if gain > 0 else -size)


def marks_of(ablations: NetworkAblations, layout: UnitMap) -> dict[tuple[int, int], Mark]:
    """Return the marks of which anything is known, by column and row."""
    marks: defaultdict[tuple[int, int], Mark] = defaultdict(Mark)
    for unit, tally in ablations.statistics.units.items():
        if layout.knows(*unit):
            marks[layout.position(*unit)].tally.merge(tally)
    for unit in ablations.dead_units:
        if layout.knows(*unit):
            position = layout.position(*unit)
            mark = marks[position]
            mark.dead += 1
            mark.are_all_dead = mark.dead == layout.units_at(*position)
    for unit in ablations.under_way:
        if layout.knows(*unit):
            marks[layout.position(*unit)].now = True
    return marks


def read_out(mark: Mark | None, ablations: NetworkAblations, layout: UnitMap, cursor: Unit, width: int) -> str:
    """Say in at most ``width`` characters what is known of the ``mark`` of a unit, in whole words.

    "layer 2 neuron 7: 12 hits, 3 promoted, mean gain -0.31 points, dead"; at least "2.7: 12 hits".
    """
    mark = mark or Mark()
    words, numbers = _names(ablations, layout, cursor)
    gain = mark.tally.mean_gain
    gained = "" if gain is None else points(gain)
    hits, promoted = count(mark.tally.ablated, "hit"), f"{mark.tally.promoted:,} promoted"
    dead = "" if not mark.dead else "dead" if mark.are_all_dead else f"{mark.dead:,} dead"
    full, short = (f"mean gain {gained} points", f"mean {gained}") if gained else ("", "")
    now = "under way" if mark.now else ""
    told = [
        (words, (hits, promoted, full, dead, now)),
        (words, (hits, promoted, full, dead)),
        (words, (hits, promoted, short, dead)),
        (numbers, (hits, promoted, short, dead)),
        (numbers, (hits, gained, dead)),
        (numbers, (hits, gained)),
        (numbers, (hits,)),
    ]
    return first_fitting(width, *(f"{name}: {', '.join(filter(None, parts))}" for name, parts in told), numbers)


def _names(ablations: NetworkAblations, layout: UnitMap, cursor: Unit) -> tuple[str, str]:
    """Return what the units of a unit's mark are called, in words and in numbers."""
    found = layout.marked(*layout.position(*cursor))
    assert found is not None
    layers, units = found
    span = f"{units[0]}" if len(units) == 1 else f"{units[0]}-{units[-1]}"
    names, first = ablations.names, layers[0]
    neurons = f"{names.kind(first)} {span}" if len(units) == 1 else f"{names.kind(first)}s {span}"
    if len(layers) > 1:
        return f"layers {first}-{layers[-1]} {neurons}", f"{first}-{layers[-1]}.{span}"
    return f"{names.layer(first)} {neurons}", f"{names.short(first)}.{span}"
