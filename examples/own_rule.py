"""An ablation rule of your own: zero the weakest unit of a hidden layer.

    python examples/own_rule.py --dataset mnist5k --arch "[2*32]" --meta-loops 20

trains with it and takes every option of ``psa train``. To have it in every command, studies too, install it as a
package (``pip install`` this file beside a pyproject.toml) with the entry point

    [project.entry-points."psa_tui.ablations"]
    weakest = "own_rule:WeakestUnit"

and say ``psa train --mode weakest``.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np

from psa_tui.method.ablation import ABLATIONS, AblatedUnit, Row, Units, zero_unit


class WeakestUnit:
    """Pick a hidden layer uniformly; zero its unit with the smallest incoming weights, and what leads out of it."""

    def ablate(self, weights: Row, units: Units, draws: np.random.Generator) -> Sequence[AblatedUnit]:
        """Damage ``weights`` [parameters] in place and return what was done, unit by unit."""
        layer = int(draws.choice(units.hidden_layers))

        def strength(unit: int) -> float:
            return sum(float((weights[part] ** 2).sum()) for part in units.unit_parameters(layer, unit).incoming)

        weakest = min(range(units.unit_counts[layer]), key=strength)
        return [zero_unit(weights, units, layer, weakest, outgoing=True)]


if __name__ == "__main__":
    from psa_tui.cli import main

    ABLATIONS.register("weakest", WeakestUnit())
    sys.argv[1:] = ["train", "--mode", "weakest", *sys.argv[1:]]
    main()
