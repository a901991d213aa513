"""Probes: how trained weights are damaged, more and more, when it is only measured what they still can.

A probe has levels (so many zeroed units, so much noise) and at each of them as many draws. A draw is addressed by the
probe's seed and its own number alone, so that networks of one shape are hit alike (common random numbers), and so are
the levels of a draw: at a higher level it zeroes the same units and more, or moves further in the same direction.
"""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from psa_tui.errors import ConfigError
from psa_tui.method.ablation import zero_unit
from psa_tui.method.dead_units import dead_units
from psa_tui.method.randomness import Purpose, generator
from psa_tui.method.selections import Hidden, Unit, hidden_count

if TYPE_CHECKING:
    from psa_tui.method.ablation import Units
    from psa_tui.networks.base import Network

_AUTO = "auto"
_MOST_LEVELS = 1000
_MOST_NOISE = 1000.0
_RANGE = re.compile(r"(\d{1,9})(?:\.\.(\d{1,9})(?::(\d{1,9}))?)?", re.ASCII)
_AUTO_NOISE = (0.01, 0.03, 0.1, 0.3, 1.0)


@dataclass(frozen=True, slots=True)
class Probe(ABC):
    """Damages weights at ``levels``, each with ``draws`` draws; the untouched weights are no level."""

    name: ClassVar[str]
    """What it is called in JSON."""
    levels: tuple[float, ...]
    """Ascending, without repetition, above 0."""
    draws: int
    seed: int

    def as_json(self) -> dict[str, Any]:
        """Return what is done."""
        return {"damage": self.name, "levels": self.levels, "draws": self.draws, "seed": self.seed}

    @abstractmethod
    def damage(self, rows: np.ndarray, network: Network, level: float, first: int) -> None:
        """Damage ``rows``, copies of one network's weights, in place: float32 [draws from ``first``, parameters]."""


class UnitKill(Probe):
    """Zeroes random hidden units: incoming weights, bias and outgoing weights, as the mode ``hidden`` does.

    The units are different ones, uniformly drawn among those of all hidden layers.
    """

    name = "kill"

    def chosen(self, units: Units, level: float, draw: int) -> list[int]:
        """Return the units that a draw zeroes, counted through all hidden layers."""
        order = generator(self.seed, draw, Purpose.PROBED_UNITS).permutation(hidden_count(units))
        return [int(number) for number in order[: int(level)]]

    def damage(self, rows: np.ndarray, network: Network, level: float, first: int) -> None:
        """Zero ``level`` units of each row, see ``Probe``."""
        places = hidden_units(network)
        for draw, row in enumerate(rows, first):
            for number in self.chosen(network, level, draw):
                zero_unit(row, network, *places[number], outgoing=True)

    def dead_among(self, dead: np.ndarray, units: Units, level: float) -> float:
        """Return how many of the units that are zeroed were ``dead`` [hidden units] before: the mean over the draws."""
        return float(np.mean([dead[self.chosen(units, level, draw)].sum() for draw in range(self.draws)]))


class WeightNoise(Probe):
    """Adds Gaussian noise to every number of the network that a gradient trained.

    Its standard deviation is ``level`` times the root mean square of the tensor that the number is in.
    """

    name = "noise"

    def damage(self, rows: np.ndarray, network: Network, level: float, first: int) -> None:
        """Add noise to each row, see ``Probe``."""
        for draw, row in enumerate(rows, first):
            draws = generator(self.seed, draw, Purpose.PROBED_NOISE)
            direction = draws.standard_normal(network.trained, dtype=np.float32)
            for tensor in network.tensors[: len(network.tensors) - len(network.buffers)]:
                part = slice(tensor.offset, tensor.offset + tensor.size)
                size = math.sqrt(np.mean(np.square(row[part], dtype=np.float64)))
                row[part] += np.float32(level * size) * direction[part]


def hidden_units(units: Units) -> Sequence[Unit]:
    """Return layer and index of every hidden unit, in the order in which they are counted."""
    return Hidden().units(units)


def dead_mask(row: np.ndarray, units: Units) -> np.ndarray:
    """Return which hidden units of the weights ``row`` [parameters] are dead: bool [hidden units]."""
    dead = set(dead_units(row, units))
    return np.array([unit in dead for unit in hidden_units(units)], dtype=bool)


def parse_kills(text: str) -> tuple[float, ...]:
    """Return the numbers of ``1..10``, ``0..64:8`` (in steps of 8) or ``1,2,5``, without 0.

    Raises:
        ConfigError: it says anything else.
    """
    levels: set[float] = set()
    for part in text.split(","):
        found = _RANGE.fullmatch(part.strip())
        first, last, step = (0, 0, 0)
        if found is not None:
            first, last, step = int(found[1]), int(found[2] or found[1]), int(found[3] or 1)
        if not step or last < first or len(levels) + (last - first) // step > _MOST_LEVELS:
            raise ConfigError(
                f"--kill: expected numbers of units such as 1..10, 0..64:8 or 1,2,5, at most {_MOST_LEVELS} of them, "
                f"found {text[:80]!r}"
            )
        levels |= set(range(first, last + 1, step))
    return tuple(sorted(levels - {0}))


def parse_noise(text: str) -> tuple[float, ...]:
    """Return the levels of ``0.01,0.03,0.1``; those of ``auto`` are spaced evenly on a logarithmic scale.

    Raises:
        ConfigError: it says anything else.
    """
    if text == _AUTO:
        return _AUTO_NOISE
    try:
        levels = {float(part) for part in text.split(",")} if text.isascii() and "_" not in text else {math.nan}
    except ValueError:
        levels = {math.nan}
    if not all(0 <= level <= _MOST_NOISE for level in levels) or len(levels) > _MOST_LEVELS:
        raise ConfigError(
            f"--noise: expected at most {_MOST_LEVELS} numbers from 0 to {_MOST_NOISE:g} such as 0.01,0.03,0.1, "
            f"found {text[:80]!r}"
        )
    return tuple(sorted(levels - {0.0}))
