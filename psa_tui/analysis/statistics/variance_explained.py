"""How much of a spread goes with what trials are grouped by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[Any]]


class Explained(NamedTuple):
    """The share of a variance that lies between groups."""

    levels: int
    """Groups."""
    eta_squared: float
    """From 0 to 1; NaN where all values are the same."""
    by_chance: float
    """What it is in the mean over all ways of dealing the same values out to groups of these sizes."""


def eta_squared(values: Array, groups: Array) -> Explained:
    """Return the sum of squares between groups over the total one (Fisher's correlation ratio, one-way).

    Never below zero, so it favours many small groups: under permutation its mean is (groups - 1) / (n - 1), exactly.

    Args:
        values: finite numbers [N], N at least 2.
        groups: what each belongs to [N].
    """
    import numpy as np

    _, place, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    centred = values - values.mean()
    means = np.bincount(place, weights=centred) / sizes
    total = float((centred**2).sum())
    between = float((sizes * means**2).sum())
    by_chance = (len(sizes) - 1) / (len(values) - 1)
    return Explained(len(sizes), min(between / total, 1.0) if total else float("nan"), by_chance)
