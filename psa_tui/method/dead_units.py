"""Dead units, none of them of the output: those whose incoming weights and bias are all zero.

Such a ReLU unit has a pre-activation of exactly 0, where the derivative is 0: no gradient reaches its incoming weights,
and it stays dead. In a network with skip connections it may still pass on what they bring.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from psa_tui.method.selections import Unit

if TYPE_CHECKING:
    import numpy as np

    from psa_tui.method.ablation import Row, Units

DeadUnits = tuple[Unit, ...]
"""Layer and index in the layer of each, in order."""


def dead_units(row: Row, units: Units) -> DeadUnits:
    """Return the dead units of the weights ``row`` [parameters], a tensor or an array."""
    import numpy as np

    numbers = np.asarray(row.detach().cpu() if hasattr(row, "detach") else row)
    every, firsts = _first_numbers(units)
    # Almost every unit shows by a single number that it is alive.
    return tuple(
        every[place] for place in np.flatnonzero(numbers[firsts] == 0) if _is_zero(numbers, units, every[place])
    )


def _is_zero(numbers: np.ndarray, units: Units, unit: Unit) -> bool:
    own = units.unit_parameters(*unit)
    return not any(numbers[part].any() for part in (*own.bias, *own.incoming))


@lru_cache(maxsize=64)
def _first_numbers(units: Units) -> tuple[DeadUnits, np.ndarray]:
    """Return all units but the output's, and where in a row the first number of each lies: its bias, if it has one."""
    import numpy as np

    # A first layer that no hidden unit is drawn from can be dead as well.
    layers = range(max(units.hidden_layers, default=-1) + 1)
    every = tuple((layer, unit) for layer in layers for unit in range(units.unit_counts[layer]))
    owned = (units.unit_parameters(*unit) for unit in every)
    return every, np.array([(*own.bias, *own.incoming)[0].start for own in owned], dtype=np.int64)
