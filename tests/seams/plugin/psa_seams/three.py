"""An ablation rule: three units at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from psa_tui.method.ablation import AblatedUnit, Row, Units, zero_unit


class ThreeUnits:
    """Pick three distinct units uniformly among those of all layers; zero their incoming weights and biases."""

    def ablate(self, weights: Row, units: Units, draws: np.random.Generator) -> Sequence[AblatedUnit]:
        """Damage three units, see ``AblationRule``."""
        every = [(layer, unit) for layer, count in enumerate(units.unit_counts) for unit in range(count)]
        chosen = draws.choice(len(every), size=min(3, len(every)), replace=False)
        return [zero_unit(weights, units, *every[number]) for number in sorted(chosen.tolist())]
