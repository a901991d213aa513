"""A/A comparisons: two sides that differ in nothing show how often chance alone looks like more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psa_tui.analysis.frames import cell_rows, shown_architectures
from psa_tui.method.hyperparameters import Hyperparameters
from psa_tui.method.presets import DECAY
from psa_tui.method.variants import NONE

if TYPE_CHECKING:
    import numpy as np
    from pandas import DataFrame

    Array = np.ndarray[Any, np.dtype[Any]]

SHAM = "sham"
"""It draws what to ablate, and ablates nothing."""


def placebo_modes(trials: DataFrame) -> tuple[str, ...]:
    """Return the modes of ``trials`` that train as none does: sham, and decay where float32 rounds it away."""
    modes = set(trials["mode"].unique())
    if NONE.name not in modes:
        return ()
    named = [SHAM] if SHAM in modes else []
    return (*named, *([DECAY.name] if DECAY.name in modes and is_decay_lost(trials) else []))


def is_decay_lost(trials: DataFrame) -> bool:
    """Whether a step's weight decay, 1 - lr * decay, is 1 in float32: mode decay is then mode none."""
    import numpy as np

    try:
        settings = Hyperparameters.from_json(trials.attrs.get("settings") or {})
    except (TypeError, ValueError):
        return False
    return bool(np.float32(1 - settings.learning_rate * settings.weight_decay) == np.float32(1))


def halves(trials: DataFrame, values: Array, mode: str) -> dict[str, tuple[Array, Array]]:
    """Return the values of a mode's odd trials and of its even ones, of every shape that has two or more of each."""
    rows, numbers, found = cell_rows(trials), trials["trial"].to_numpy(), {}
    for architecture in shown_architectures(trials):
        cell = rows.get((architecture, mode))
        if cell is None:
            continue
        is_odd = numbers[cell] % 2 == 1
        if min(is_odd.sum(), (~is_odd).sum()) > 1:
            found[architecture] = values[cell[is_odd]], values[cell[~is_odd]]
    return found
