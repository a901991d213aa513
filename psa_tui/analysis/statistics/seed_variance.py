"""How much of the spread between trials comes from their first weights, and how much from what is drawn later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[Any]]


class SeedVariance(NamedTuple):
    """Components of a variance, none below 0."""

    initialisation: float
    order: float
    rest: float
    """What both do together, and what neither explains."""


def split_variance(grid: Array) -> SeedVariance:
    """Split the variance of ``grid`` [first weights, orders], one trial each.

    Two-way analysis of variance with random effects, without replication (Searle, Casella and McCulloch, 1992, 4.4):
    mean squares less what is expected of the rest, over how many values a mean has.
    """
    import numpy as np

    rows, columns = grid.shape
    mean = grid.mean()
    by_row, by_column = grid.mean(axis=1) - mean, grid.mean(axis=0) - mean
    left = grid - mean - by_row[:, None] - by_column[None, :]
    rest = float((left**2).sum() / ((rows - 1) * (columns - 1)))
    of_rows = columns * float((by_row**2).sum()) / (rows - 1)
    of_columns = rows * float((by_column**2).sum()) / (columns - 1)
    return SeedVariance(*np.maximum([(of_rows - rest) / columns, (of_columns - rest) / rows, rest], 0).tolist())
