"""Ablations: which units of a candidate are damaged before its epoch, how many, and what is done to them.

``ABLATIONS`` has them by name: selections, which go with any amount and effect, and rules, objects with one method,
``ablate``, that do all of it themselves. They read the units of a network and change one row of weights; they know
nothing of the engine, files or screens. To add one from outside, register it in the entry point group
``psa_tui.ablations``; ``--mode NAME`` or ``--ablate NAME`` then trains with it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from psa_tui.errors import ConfigError
from psa_tui.method.effects import EFFECTS, ZERO, Part
from psa_tui.method.selections import (
    ByNorm,
    Dormant,
    Fixed,
    Full,
    Hidden,
    InLayer,
    Output,
    Selection,
    hidden_count,
    hidden_unit,
)
from psa_tui.registry import Registry

if TYPE_CHECKING:
    import numpy as np

__all__ = [
    "ABLATIONS",
    "NEED_ARGUMENTS",
    "AblatedUnit",
    "Ablation",
    "AblationRule",
    "Candidate",
    "Row",
    "UnitParameters",
    "Units",
    "hidden_count",
    "hidden_unit",
    "zero_unit",
]

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
    dead: bool = False
    """Whether it was dead before (see ``dead_units``), so that zeroing it damages nothing; never an output unit."""


@dataclass(frozen=True, slots=True)
class UnitParameters:
    """Which numbers of a row belong to one unit, as slices."""

    incoming: tuple[slice, ...]
    bias: tuple[slice, ...]
    outgoing: tuple[slice, ...]
    """Empty in a layer that nothing follows."""


class Units(Protocol):
    """What can be ablated: every ``psa_tui.networks.Network`` is this, a value."""

    def __hash__(self) -> int:
        """Return the same for equal ones."""

    @property
    def unit_counts(self) -> Sequence[int]:
        """How many units each layer has; the last layer is the output."""

    @property
    def hidden_layers(self) -> Sequence[int]:
        """The layers whose units are hidden ones, first to last."""

    def unit_parameters(self, layer: int, unit: int) -> UnitParameters:
        """Return which numbers of a row belong to a unit."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A clone of the LKG, and what an ablation may ask of the trial it belongs to."""

    row: Row
    """Its weights, changed in place: [trained parameters], so that no rule and no effect reaches a running variance."""
    initial_weights: Callable[[np.random.Generator], np.ndarray]
    """Draws a new initialisation, as the trial's own was: [parameters]."""
    mean_activations: Callable[[], np.ndarray]
    """Returns the LKG's mean activation of every hidden unit on a fixed validation sample: [hidden units]."""


class AblationRule(Protocol):
    """Damages a candidate, in a way that is not put together of selection, amount and effect."""

    def ablate(self, weights: Row, units: Units, draws: np.random.Generator) -> Sequence[AblatedUnit]:
        """Damage ``weights`` [parameters] in place and return what was done, unit by unit.

        Args:
            weights: the candidate, a clone of the LKG.
            units: the network's units.
            draws: the addressed generator of this trial and meta-loop; the only source of randomness allowed.
        """


ABLATIONS: Registry[AblationRule | Selection] = Registry("ablation rule", "psa_tui.ablations")
NEED_ARGUMENTS = {"layer": "layer:K, as in layer:0", "unit": "unit:K.N, as in unit:0.3"}
"""Those of this package that say nothing without an argument, and what is expected of them."""


@dataclass(frozen=True, slots=True)
class Ablation:
    """What is damaged: as many units as ``amount`` says of ``selection``, each by ``effect``."""

    selection: str
    """A name of ``ABLATIONS``, with an argument behind a colon where it takes one."""
    amount: str = "1"
    """How many units: a whole number, or a percentage of those the selection can choose, at least one unit."""
    effect: str = ZERO
    """A name of ``EFFECTS``."""

    def __str__(self) -> str:
        """Return it in words: ``output``, or ``3 units of output, noise``."""
        many = f"{self.amount} units of {self.selection}" if self.amount != "1" else self.selection
        return many if self.effect == ZERO else f"{many}, {self.effect}"

    def check(self) -> None:
        """Make sure that there is such an ablation.

        Raises:
            ConfigError: there is none, with the reason.
        """
        rule = self._rule()
        if self.selection in NEED_ARGUMENTS:
            raise ConfigError(f"expected {NEED_ARGUMENTS[self.selection]}")
        EFFECTS.find(self.effect)
        _amount_of(self.amount, 1_000_000)
        if not isinstance(rule, Selection) and (self.amount, self.effect) != ("1", ZERO):
            raise ConfigError(f"ablation rule {self.selection} decides itself how much it damages and how")

    def check_network(self, units: Units) -> None:
        """Make sure that a network has the units.

        Raises:
            ConfigError: it has not.
        """
        rule = self._rule()
        if isinstance(rule, Selection):
            _amount_of(self.amount, len(rule.units(units)))

    def ablate(self, candidate: Candidate, units: Units, draws: np.random.Generator) -> Sequence[AblatedUnit]:
        """Damage ``candidate`` in place and return what was done, unit by unit; no unit comes twice."""
        rule = self._rule()
        if not isinstance(rule, Selection):
            return rule.ablate(candidate.row, units, draws)
        count = 1 if self.amount == "1" else _amount_of(self.amount, len(rule.units(units)))
        chosen: dict[tuple[int, int], None] = {}
        for one in rule.choose(candidate, units, draws):
            chosen[one] = None
            if len(chosen) == count:
                break
        effect = EFFECTS.find(self.effect)
        done = []
        for layer, unit in chosen:
            part = effect.part(units.unit_parameters(layer, unit), outgoing=rule.outgoing)
            effect.damage(candidate.row, part, draws, candidate.initial_weights)
            done.append(_ablated(layer, unit, part, self.effect))
        return done

    def _rule(self) -> AblationRule | Selection:
        name, colon, argument = self.selection.partition(":")
        rule = ABLATIONS.find(name)
        if colon and isinstance(rule, Selection):
            return rule.configured(argument)
        if colon:
            raise ConfigError(f"ablation rule {name} takes no argument, found {argument[:40]!r}")
        return rule


def zero_unit(weights: Row, units: Units, layer: int, unit: int, *, outgoing: bool = False) -> AblatedUnit:
    """Zero a unit's incoming weights and bias, and its outgoing weights where ``outgoing`` says so, in place."""
    effect = EFFECTS.find(ZERO)
    part = effect.part(units.unit_parameters(layer, unit), outgoing=outgoing)
    for numbers in part.slices:
        weights[numbers] = 0.0
    return _ablated(layer, unit, part, ZERO)


for _name, _selection in {
    "full": Full(),
    "hidden": Hidden(),
    "output": Output(),
    "dormant": Dormant(),
    "smallest": ByNorm(1),
    "largest": ByNorm(-1),
    "layer": InLayer(),
    "unit": Fixed(),
}.items():
    ABLATIONS.register(_name, _selection)


def _amount_of(text: str, most: int) -> int:
    """Return how many units ``text`` means of ``most``.

    Raises:
        ConfigError: it is no amount, or there are not so many.
    """
    digits, percent = text.removesuffix("%"), text.endswith("%")
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= 7) or not int(digits):
        raise ConfigError(f"expected an amount such as 3 or 10%, found {text[:40]!r}")
    count = int(digits)
    if percent:
        if count > 100:
            raise ConfigError(f"expected an amount of at most 100%, found {text}")
        return max(1, round(most * count / 100))
    if count > most:
        raise ConfigError(f"an amount of {count}, and there are {most} units to choose from")
    return count


def _ablated(layer: int, unit: int, part: Part, effect: str) -> AblatedUnit:
    incoming, outgoing = _count(part.incoming), _count(part.outgoing)
    return AblatedUnit(layer=layer, unit=unit, incoming=incoming, outgoing=outgoing, effect=effect)


def _count(numbers: Sequence[slice]) -> int:
    return sum(len(range(part.start, part.stop, part.step or 1)) for part in numbers)
