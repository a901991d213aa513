"""Selections: which units of a candidate are damaged.

A selection says which units it can choose and in what way it chooses among them; ``ablation`` asks for as many
different ones as the amount says. Layers and units count from 0, as tensors do; the last layer is the output.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from psa_tui.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np

    from psa_tui.method.ablation import Candidate, Units

Unit = tuple[int, int]
"""Layer and index in the layer."""


class Selection(ABC):
    """Chooses units; ``psa_tui.method.ablation.ABLATIONS`` has them by name."""

    outgoing: ClassVar[bool] = False
    """Whether zeroing a unit of it takes the outgoing weights too, where there are some."""

    def configured(self, argument: str) -> Selection:
        """Return the selection ``NAME:argument``.

        Raises:
            ConfigError: it takes no argument, or not this one.
        """
        raise ConfigError(f"this selection takes no argument, found {argument[:40]!r}")

    @abstractmethod
    def units(self, units: Units) -> Sequence[Unit]:
        """Return all units that it can choose.

        Raises:
            ConfigError: the network has no such unit.
        """

    @abstractmethod
    def choose(self, candidate: Candidate, units: Units, draws: np.random.Generator) -> Iterator[Unit]:
        """Go through units in the order in which they are damaged, for ever or until all had their turn.

        A unit may come again; the caller passes over it.
        """


class Full(Selection):
    """A layer uniformly, hidden or output, then one of its units uniformly."""

    def units(self, units: Units) -> Sequence[Unit]:
        """Return all units."""
        return [(layer, unit) for layer, count in enumerate(units.unit_counts) for unit in range(count)]

    def choose(self, candidate: Candidate, units: Units, draws: np.random.Generator) -> Iterator[Unit]:
        """Draw layer and unit, again and again."""
        while True:
            layer = int(draws.integers(len(units.unit_counts)))
            yield layer, int(draws.integers(units.unit_counts[layer]))


class _OfHidden(Selection):
    """Chooses among all hidden units, with all that leads in and out."""

    outgoing: ClassVar[bool] = True

    def units(self, units: Units) -> Sequence[Unit]:
        """Return all hidden units."""
        return [(layer, unit) for layer in units.hidden_layers for unit in range(units.unit_counts[layer])]


class Hidden(_OfHidden):
    """Uniformly among all hidden units, so a wide layer is hit more often."""

    def choose(self, candidate: Candidate, units: Units, draws: np.random.Generator) -> Iterator[Unit]:
        """Draw one of all hidden units, again and again."""
        while True:
            yield hidden_unit(units, int(draws.integers(hidden_count(units))))


class Dormant(_OfHidden):
    """The hidden units with the lowest mean activation on a fixed validation sample (after ReDo, Sokar et al. 2023).

    Units that are equally low come in random order, so that not always the same dead one is hit.
    """

    def units(self, units: Units) -> Sequence[Unit]:
        """Return all hidden units, if it is known what they do."""
        if (reason := getattr(units, "activity_refusal", None)) is not None:
            raise ConfigError(f"which units are dormant is not known: {reason}")
        return super().units(units)

    def choose(self, candidate: Candidate, units: Units, draws: np.random.Generator) -> Iterator[Unit]:
        """Go through the hidden units, the least active first."""
        yield from _lowest_first(self.units(units), candidate.mean_activations(), draws)


@dataclass(frozen=True, slots=True)
class ByNorm(_OfHidden):
    """The hidden units whose incoming weights have the smallest Euclidean norm, or the largest."""

    sign: int
    """1 for the smallest first, -1 for the largest."""

    def choose(self, candidate: Candidate, units: Units, draws: np.random.Generator) -> Iterator[Unit]:
        """Go through the hidden units by the norm of their incoming weights."""
        import numpy as np

        every = self.units(units)
        norms = [_norm(candidate, units, unit) for unit in every]
        yield from _lowest_first(every, self.sign * np.array(norms), draws)


@dataclass(frozen=True, slots=True)
class InLayer(Selection):
    """A unit of one layer, uniformly."""

    layer: int | None = None

    def configured(self, argument: str) -> Selection:
        """Return ``layer:K``."""
        return InLayer(_number(argument, "layer:K, as in layer:0"))

    def units(self, units: Units) -> Sequence[Unit]:
        """Return the layer's units."""
        assert self.layer is not None
        if self.layer >= len(units.unit_counts):
            raise ConfigError(f"layer:{self.layer}: the network has layers 0 to {len(units.unit_counts) - 1}")
        return [(self.layer, unit) for unit in range(units.unit_counts[self.layer])]

    def choose(self, candidate: Candidate, units: Units, draws: np.random.Generator) -> Iterator[Unit]:
        """Draw one of the layer's units, again and again."""
        every = self.units(units)
        while True:
            yield every[int(draws.integers(len(every)))]


@dataclass(frozen=True, slots=True)
class Fixed(Selection):
    """Always the same unit."""

    unit: Unit | None = None

    def configured(self, argument: str) -> Selection:
        """Return ``unit:K.N``."""
        layer, dot, number = argument.partition(".")
        if not dot:
            raise ConfigError("expected unit:K.N, as in unit:0.3")
        return Fixed((_number(layer, "unit:K.N, as in unit:0.3"), _number(number, "unit:K.N, as in unit:0.3")))

    def units(self, units: Units) -> Sequence[Unit]:
        """Return the unit."""
        assert self.unit is not None
        layer, unit = self.unit
        if layer >= len(units.unit_counts) or unit >= units.unit_counts[layer]:
            raise ConfigError(f"unit:{layer}.{unit}: the network has no such unit")
        return [self.unit]

    def choose(self, candidate: Candidate, units: Units, draws: np.random.Generator) -> Iterator[Unit]:
        """Give the unit."""
        yield from self.units(units)


class Output(Selection):
    """A unit of the output layer uniformly."""

    def units(self, units: Units) -> Sequence[Unit]:
        """Return the output units."""
        layer = len(units.unit_counts) - 1
        return [(layer, unit) for unit in range(units.unit_counts[layer])]

    def choose(self, candidate: Candidate, units: Units, draws: np.random.Generator) -> Iterator[Unit]:
        """Draw an output unit, again and again."""
        layer = len(units.unit_counts) - 1
        while True:
            yield layer, int(draws.integers(units.unit_counts[layer]))


def hidden_unit(units: Units, number: int) -> Unit:
    """Return layer and index of hidden unit ``number``, counted through all hidden layers."""
    for layer in units.hidden_layers:
        if number < units.unit_counts[layer]:
            return layer, number
        number -= units.unit_counts[layer]
    raise IndexError("no such hidden unit")


def hidden_count(units: Units) -> int:
    """Return how many hidden units there are."""
    return sum(units.unit_counts[layer] for layer in units.hidden_layers)


def _lowest_first(every: Sequence[Unit], values: np.ndarray, draws: np.random.Generator) -> Iterator[Unit]:
    """Go through units by ``values`` [units], equal ones in random order."""
    import numpy as np

    order = np.lexsort((draws.random(len(every)), values))
    return (every[place] for place in order)


def _norm(candidate: Candidate, units: Units, unit: Unit) -> float:
    """Return the Euclidean norm of a unit's incoming weights, the bias not counted."""
    slices = units.unit_parameters(*unit).incoming
    return math.sqrt(sum(float((candidate.row[numbers] ** 2).sum()) for numbers in slices))


def _number(text: str, expected: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 9):
        raise ConfigError(f"expected {expected}, found {text[:40]!r}")
    return int(text)
