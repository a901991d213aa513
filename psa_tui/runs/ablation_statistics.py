"""What ablations did to a run: hits, promotions and gains by unit and layer, folded loop by loop. Plain values only.

A gain is a candidate's validation accuracy above the LKG's that it was compared with, a fraction. The size is one entry
a touched unit, whatever the number of loops.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Sequence
from dataclasses import astuple, dataclass, field
from math import sqrt
from operator import add
from typing import Any, NamedTuple, TypeVar

from psa_tui.method.ablation import AblatedUnit
from psa_tui.method.events import EarlierLoops
from psa_tui.method.layer_names import LayerNames

GAIN_EDGES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0)
"""Where the bins of gains begin, in percentage points, up and down from the bin of no gain."""
GAIN_BINS = 2 * len(GAIN_EDGES) + 1
Place = TypeVar("Place")
Rows = tuple[tuple[Any, ...], ...]
"""Numbers: each row whole ones, and a sum of gains where it is a tally."""
_FINE = 9
"""Decimals of a gain in points: 0.29 - 0.28 of an accuracy is to count as one point."""
_Z = 1.959963984540054
"""The quantile of the normal distribution for an interval of 95 %."""


class Interval(NamedTuple):
    """Where a rate lies, fractions."""

    low: float
    high: float


@dataclass(slots=True)
class Tally:
    """What became of the loops that ablated something: a unit, units of a layer, or any."""

    ablated: int = 0
    """Loops that did."""
    promoted: int = 0
    """Of them, those whose candidate was promoted."""
    dead: int = 0
    """Of them, those that changed nothing because all that was ablated was dead."""
    survived: int = 0
    """Those whose candidate was promoted although something alive was ablated."""
    compared: int = 0
    """Those that ablated something alive and have a gain: there was an LKG, and loss and weights were finite."""
    gained: float = 0.0
    """The sum of their gains; one of a loop that changed nothing says nothing of what it hit."""

    def add(self, promoted: bool, alive: bool, gain: float | None) -> None:
        """Take in a loop."""
        self.ablated += 1
        self.promoted += promoted
        self.dead += not alive
        self.survived += promoted and alive
        if alive and gain is not None:
            self.compared += 1
            self.gained += gain

    def merge(self, other: Tally) -> None:
        """Take in the loops of another one."""
        # Field by field, because a map adds thousands of them up for each of its pictures.
        self.ablated += other.ablated
        self.promoted += other.promoted
        self.dead += other.dead
        self.survived += other.survived
        self.compared += other.compared
        self.gained += other.gained

    @property
    def mean_gain(self) -> float | None:
        """What ablating something alive gained, a fraction; None without such a loop that has a gain."""
        return self.gained / self.compared if self.compared else None

    @property
    def alive(self) -> int:
        """Loops that ablated something alive."""
        return self.ablated - self.dead

    @property
    def survival(self) -> float | None:
        """Of the loops that ablated something alive, the promoted ones: a fraction; None without such loops."""
        return self.survived / self.alive if self.alive else None

    @property
    def survival_interval(self) -> Interval | None:
        """Where ``survival`` lies with a confidence of 95 %; None without such loops."""
        return wilson_interval(self.survived, self.alive) if self.alive else None


def _no_gains() -> list[int]:
    return [0] * GAIN_BINS


@dataclass(slots=True)
class AblationStatistics:
    """The loops of a run by what they ablated."""

    units: dict[tuple[int, int], Tally] = field(default_factory=dict)
    """By layer and unit; a loop with several units counts for each of them."""
    layers: dict[int, Tally] = field(default_factory=dict)
    """A loop counts once for a layer, however many of its units it hit: so the loops of a tally are independent."""
    every: Tally = field(default_factory=Tally)
    """All loops that ablated something."""
    untouched: Tally = field(default_factory=Tally)
    """The loops that ablated nothing, the first candidate left out, which has nothing to be compared with."""
    promoted_gains: list[int] = field(default_factory=_no_gains)
    """How many promoted candidates had a gain in each bin of ``gain_bin``, with and without ablation."""
    rolled_back_gains: list[int] = field(default_factory=_no_gains)

    def fold(self, units: Sequence[AblatedUnit], promoted: bool, gain: float | None) -> None:
        """Take in a loop, which ablated ``units``.

        Args:
            units: in any order; no unit comes twice.
            promoted: whether its candidate became the LKG.
            gain: None where there was no LKG, and where loss or weights were not finite.
        """
        if gain is not None:
            (self.promoted_gains if promoted else self.rolled_back_gains)[gain_bin(gain)] += 1
        if not units:
            if gain is not None:
                self.untouched.add(promoted, True, gain)
            return
        alive_in: dict[int, bool] = {}
        for unit in units:
            self.units.setdefault((unit.layer, unit.unit), Tally()).add(promoted, not unit.dead, gain)
            alive_in[unit.layer] = alive_in.get(unit.layer, False) or not unit.dead
        for layer, alive in alive_in.items():
            self.layers.setdefault(layer, Tally()).add(promoted, alive, gain)
        self.every.add(promoted, any(alive_in.values()), gain)

    def fold_earlier(self, event: EarlierLoops) -> None:
        """Take in loops of the history."""
        gains = event.gains or [None] * len(event.meta_loops)
        for units, promoted, gain in zip(event.ablations, event.promoted, gains, strict=True):
            self.fold(units, promoted, gain)

    def merge(self, other: AblationStatistics) -> None:
        """Take in the loops of another one."""
        _merge(self.units, other.units)
        _merge(self.layers, other.layers)
        self.every.merge(other.every)
        self.untouched.merge(other.untouched)
        self.promoted_gains = list(map(add, self.promoted_gains, other.promoted_gains))
        self.rolled_back_gains = list(map(add, self.rolled_back_gains, other.rolled_back_gains))

    @property
    def chance(self) -> float | None:
        """How often a candidate is promoted whatever was ablated: a fraction; None before anything was."""
        return self.every.promoted / self.every.ablated if self.every.ablated else None

    def as_rows(self) -> Rows:
        """Return all of it as numbers, for the way to another process."""
        return (
            astuple(self.every),
            astuple(self.untouched),
            tuple(self.promoted_gains),
            tuple(self.rolled_back_gains),
            *((layer, *astuple(tally)) for layer, tally in self.layers.items()),
            *((*unit, *astuple(tally)) for unit, tally in self.units.items()),
        )

    @classmethod
    def from_rows(cls, rows: Rows) -> AblationStatistics:
        """Return what ``as_rows`` was made of."""
        every, untouched, promoted, rolled_back, *places = rows
        numbers = len(every)
        return cls(
            units={(row[0], row[1]): Tally(*row[2:]) for row in places if len(row) == numbers + 2},
            layers={row[0]: Tally(*row[1:]) for row in places if len(row) == numbers + 1},
            every=Tally(*every),
            untouched=Tally(*untouched),
            promoted_gains=list(promoted),
            rolled_back_gains=list(rolled_back),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkAblations:
    """What ablations did to a network, as screens and figures show it."""

    statistics: AblationStatistics
    unit_counts: Sequence[int]
    """Units of each layer, the output layer last; empty where the network is not known."""
    names: LayerNames
    """What its layers and units are called."""
    dead_units: Collection[tuple[int, int]] = ()
    """Layer and unit of the LKG's dead hidden units, as far as they are known."""
    under_way: Collection[tuple[int, int]] = ()
    """Layer and unit of what was ablated for the loop under way."""


def gain_bin(gain: float) -> int:
    """Return the bin of a gain (a fraction): 0 is the greatest loss, ``len(GAIN_EDGES)`` no gain.

    A bin goes from its edge (included, read from the middle) to the next one.
    """
    size = bisect_right(GAIN_EDGES, round(abs(100 * gain), _FINE))
    return len(GAIN_EDGES) + (size if gain > 0 else -size)


def wilson_interval(successes: int, trials: int) -> Interval:
    """Return where a rate lies with a confidence of 95 %, of one trial or more.

    The score interval of Wilson (1927): unlike that of the normal approximation, it is of use for few trials and near
    rates of 0 and 1.
    """
    rate, weight = successes / trials, _Z**2 / trials
    middle = (rate + weight / 2) / (1 + weight)
    reach = _Z * sqrt(rate * (1 - rate) / trials + weight / (4 * trials)) / (1 + weight)
    return Interval(max(middle - reach, 0.0), min(middle + reach, 1.0))


def _merge(own: dict[Place, Tally], more: dict[Place, Tally]) -> None:
    for place, tally in more.items():
        own.setdefault(place, Tally()).merge(tally)
