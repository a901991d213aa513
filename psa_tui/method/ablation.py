"""Ablation rules: which units of a candidate are damaged before its epoch, and how.

A rule is an object with one method, ``ablate``; ``ABLATIONS`` has them by name. It reads the units of a network and
changes one row of weights; it knows nothing of the engine, files or screens. To add one from outside, register it in
the entry point group ``psa_tui.ablations``; ``--mode NAME`` then trains with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from psa_tui.registry import Registry

if TYPE_CHECKING:
    import numpy as np

Row = Any
"""One trial's weights, changed in place: a tensor or array of shape [parameters]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AblatedUnit:
    """One unit and what was done to it."""

    layer: int
    """Its layer's index in ``Units.unit_counts``."""
    unit: int
    """Its index in the layer."""
    incoming: int
    """Incoming weights changed, the bias not counted."""
    outgoing: int
    """Outgoing weights changed."""
    effect: str = "zero"


@dataclass(frozen=True, slots=True)
class UnitParameters:
    """Which numbers of a row belong to one unit, as slices."""

    incoming: tuple[slice, ...]
    bias: tuple[slice, ...]
    outgoing: tuple[slice, ...]
    """Empty in a layer that nothing follows."""


class Units(Protocol):
    """What can be ablated: every ``psa_tui.networks.Network`` is this."""

    @property
    def unit_counts(self) -> Sequence[int]:
        """How many units each layer has; the last layer is the output."""

    @property
    def hidden_layers(self) -> Sequence[int]:
        """The layers whose units are hidden ones, first to last."""

    def unit_parameters(self, layer: int, unit: int) -> UnitParameters:
        """Return which numbers of a row belong to a unit."""


class AblationRule(Protocol):
    """Damages a candidate."""

    def ablate(self, weights: Row, units: Units, draws: np.random.Generator) -> Sequence[AblatedUnit]:
        """Damage ``weights`` [parameters] in place and return what was done, unit by unit.

        Args:
            weights: the candidate, a clone of the LKG.
            units: the network's units.
            draws: the addressed generator of this trial and meta-loop; the only source of randomness allowed.
        """


ABLATIONS: Registry[AblationRule] = Registry("ablation rule", "psa_tui.ablations")


def zero_unit(weights: Row, units: Units, layer: int, unit: int, *, outgoing: bool = False) -> AblatedUnit:
    """Zero a unit's incoming weights and bias, and its outgoing weights where ``outgoing`` says so, in place."""
    found = units.unit_parameters(layer, unit)
    gone = found.outgoing if outgoing else ()
    for numbers in (*found.incoming, *found.bias, *gone):
        weights[numbers] = 0.0
    return AblatedUnit(layer=layer, unit=unit, incoming=_count(found.incoming), outgoing=_count(gone))


def hidden_unit(units: Units, number: int) -> tuple[int, int]:
    """Return layer and index of hidden unit ``number``, counted through all hidden layers."""
    for layer in units.hidden_layers:
        if number < units.unit_counts[layer]:
            return layer, number
        number -= units.unit_counts[layer]
    raise IndexError("no such hidden unit")


def hidden_count(units: Units) -> int:
    """Return how many hidden units there are."""
    return sum(units.unit_counts[layer] for layer in units.hidden_layers)


class FullAblation:
    """Pick a layer uniformly, hidden or output, then one of its units uniformly; zero its incoming weights and bias."""

    def ablate(self, weights: Row, units: Units, draws: np.random.Generator) -> Sequence[AblatedUnit]:
        """Damage one unit, see ``AblationRule``."""
        layer = int(draws.integers(len(units.unit_counts)))
        return [zero_unit(weights, units, layer, int(draws.integers(units.unit_counts[layer])))]


class HiddenAblation:
    """Pick uniformly among all hidden units, so a wide layer is hit more often; zero all that leads in and out."""

    def ablate(self, weights: Row, units: Units, draws: np.random.Generator) -> Sequence[AblatedUnit]:
        """Damage one unit, see ``AblationRule``."""
        layer, unit = hidden_unit(units, int(draws.integers(hidden_count(units))))
        return [zero_unit(weights, units, layer, unit, outgoing=True)]


class OutputAblation:
    """Pick a unit of the output layer uniformly; zero its incoming weights and bias."""

    def ablate(self, weights: Row, units: Units, draws: np.random.Generator) -> Sequence[AblatedUnit]:
        """Damage one unit, see ``AblationRule``."""
        layer = len(units.unit_counts) - 1
        return [zero_unit(weights, units, layer, int(draws.integers(units.unit_counts[layer])))]


ABLATIONS.register("full", FullAblation())
ABLATIONS.register("hidden", HiddenAblation())
ABLATIONS.register("output", OutputAblation())


def _count(numbers: Sequence[slice]) -> int:
    return sum(len(range(part.start, part.stop, part.step or 1)) for part in numbers)
