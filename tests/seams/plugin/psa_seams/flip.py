"""An effect: the numbers of a unit change their signs."""

from __future__ import annotations

from typing import Any

from psa_tui.method.ablation import Row, UnitParameters
from psa_tui.method.effects import Part


class Flip:
    """Multiply what zeroing would zero by -1."""

    def part(self, unit: UnitParameters, *, outgoing: bool) -> Part:
        """Return all numbers that zeroing touches."""
        return Part(unit.incoming, unit.bias, unit.outgoing if outgoing else ())

    def damage(self, row: Row, part: Part, draws: Any, initial_weights: Any) -> None:
        """Change the signs, see ``Effect``."""
        for numbers in part.slices:
            row[numbers] *= -1
