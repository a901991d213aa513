"""Effects: what is done to the numbers of the units that a selection chose.

An effect is an object with one method, ``damage``; ``EFFECTS`` has them by name. "Zeroing" is what the published modes
do for the selection: the incoming weights and the bias, and for hidden units picked among all hidden ones the outgoing
weights too. To add one from outside, register it in the entry point group ``psa_tui.effects``; ``--effect NAME`` then
trains with it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from psa_tui.registry import Registry

if TYPE_CHECKING:
    import numpy as np

    from psa_tui.method.ablation import Row, UnitParameters

ZERO = "zero"
NONE = "none"


@dataclass(frozen=True, slots=True)
class Part:
    """Which numbers of a unit an effect touches: the slices of a row, apart by what they are to the unit."""

    incoming: tuple[slice, ...] = ()
    bias: tuple[slice, ...] = ()
    outgoing: tuple[slice, ...] = ()

    @property
    def slices(self) -> tuple[slice, ...]:
        """All of them."""
        return (*self.incoming, *self.bias, *self.outgoing)


class Effect(Protocol):
    """Does something to one unit of a candidate."""

    def part(self, unit: UnitParameters, *, outgoing: bool) -> Part:
        """Return which numbers it touches, of those that zeroing would: with the outgoing ones or without."""

    def damage(
        self,
        row: Row,
        part: Part,
        draws: np.random.Generator,
        initial_weights: Callable[[np.random.Generator], np.ndarray],
    ) -> None:
        """Change ``row`` [parameters] in place.

        Args:
            row: one candidate's weights.
            part: the numbers to touch.
            draws: the addressed generator of this trial and meta-loop; the only source of randomness allowed.
            initial_weights: draws a whole new initialisation of the network, [parameters].
        """


EFFECTS: Registry[Effect] = Registry("effect", "psa_tui.effects")


class _Whole:
    """Touches all that zeroing does."""

    def part(self, unit: UnitParameters, *, outgoing: bool) -> Part:
        """Return all numbers that zeroing touches."""
        return Part(unit.incoming, unit.bias, unit.outgoing if outgoing else ())


class Zero(_Whole):
    """The published effect."""

    def damage(self, row: Row, part: Part, draws: np.random.Generator, initial_weights: Any) -> None:
        """Set the numbers to zero, see ``Effect``."""
        for numbers in part.slices:
            row[numbers] = 0.0


class Reinitialise(_Whole):
    """Draws the numbers anew from the initialisation's law (as continual backprop does, Dohare et al. 2024)."""

    def damage(
        self,
        row: Row,
        part: Part,
        draws: np.random.Generator,
        initial_weights: Callable[[np.random.Generator], np.ndarray],
    ) -> None:
        """Take the numbers from a new initialisation, see ``Effect``."""
        fresh = initial_weights(draws)
        for numbers in part.slices:
            row[numbers] = _like(row, fresh[numbers])


class Noise(_Whole):
    """Adds Gaussian noise to the numbers, of exactly the Euclidean norm by which zeroing would move the weights."""

    def damage(self, row: Row, part: Part, draws: np.random.Generator, initial_weights: Any) -> None:
        """Move the numbers as far as zeroing would, in a random direction, see ``Effect``."""
        values = _read(row, part.slices)
        direction = draws.standard_normal(len(values))
        moved = values + _scaled(direction, values)
        start = 0
        for numbers in part.slices:
            count = len(range(numbers.start, numbers.stop, numbers.step or 1))
            row[numbers] = _like(row, moved[start : start + count])
            start += count


class Scatter(_Whole):
    """Adds that noise to as many numbers anywhere in the network, drawn without repetition."""

    def damage(self, row: Row, part: Part, draws: np.random.Generator, initial_weights: Any) -> None:
        """Move random numbers of the network as far as zeroing would move the unit's, see ``Effect``."""
        values = _read(row, part.slices)
        places = draws.choice(len(row), size=len(values), replace=False)
        moved = _values(row[places]) + _scaled(draws.standard_normal(len(values)), values)
        row[places] = _like(row, moved)


class ZeroBias(Zero):
    """Zeroes the bias only."""

    def part(self, unit: UnitParameters, *, outgoing: bool) -> Part:
        """Return the bias."""
        return Part(bias=unit.bias)


class ZeroWeights(Zero):
    """Zeroes the weights only."""

    def part(self, unit: UnitParameters, *, outgoing: bool) -> Part:
        """Return all but the bias."""
        return Part(unit.incoming, (), unit.outgoing if outgoing else ())


class Sham:
    """Does nothing: the unit is drawn and recorded, and left as it is."""

    def part(self, unit: UnitParameters, *, outgoing: bool) -> Part:
        """Return no number."""
        return Part()

    def damage(self, row: Row, part: Part, draws: np.random.Generator, initial_weights: Any) -> None:
        """Leave ``row`` as it is, see ``Effect``."""


EFFECTS.register(ZERO, Zero())
EFFECTS.register("reinit", Reinitialise())
EFFECTS.register("noise", Noise())
EFFECTS.register("scatter", Scatter())
EFFECTS.register("bias", ZeroBias())
EFFECTS.register("weights", ZeroWeights())
EFFECTS.register(NONE, Sham())


def _read(row: Row, slices: Sequence[slice]) -> np.ndarray:
    """Return the numbers in ``slices`` of ``row``, one after another: float64 [numbers]."""
    import numpy as np

    return np.concatenate([_values(row[numbers]) for numbers in slices])


def _values(numbers: Any) -> np.ndarray:
    """Return a tensor or array as float64."""
    import numpy as np

    return np.asarray(numbers.detach().cpu() if hasattr(numbers, "detach") else numbers, dtype=np.float64)


def _like(row: Row, values: np.ndarray) -> Any:
    """Return ``values`` as what ``row`` is made of: a tensor on its device, or an array."""
    return row.new_tensor(values) if hasattr(row, "new_tensor") else values


def _scaled(direction: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return ``direction`` with the Euclidean norm of ``values``."""
    return direction * (math.sqrt(float(values @ values)) / math.sqrt(float(direction @ direction)))
