"""What a trial's meta-loop costs at any shape, predicted from the few shapes that were measured. No torch.

The cost is a sum of non-negative terms (a constant, the first layer's weights, the other parameters, neurons,
layers), fitted to the measured shapes in relative error. What a measured shape differs from that by is given to
its neighbours on the depth and width axes as well, the less the farther they are.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from statistics import median

import numpy as np

from psa_tui.networks.mlp import INPUTS
from psa_tui.studies.grids import Shape


@dataclass(frozen=True)
class CostModel:
    """Seconds of one trial's meta-loop on one worker, by shape."""

    measured: Mapping[Shape, float]

    def predict(self, shape: Shape) -> float:
        """Seconds at ``shape``: as measured, or as the measured shapes suggest."""
        return self.measured.get(shape) or _predict(self._weights, self.measured, shape)

    @cached_property
    def errors(self) -> tuple[float, float]:
        """How far off a measured shape would have been predicted by the others, relative: median and worst.

        NaN with fewer than three measured shapes.
        """
        if len(self.measured) < 3:
            return math.nan, math.nan
        errors = []
        for shape, seconds in self.measured.items():
            others = {other: cost for other, cost in self.measured.items() if other != shape}
            errors.append(abs(_predict(_fit(others), others, shape) / seconds - 1))
        return median(errors), max(errors)

    @cached_property
    def _weights(self) -> np.ndarray:
        return _fit(self.measured)


def representatives(shapes: Sequence[Shape], count: int) -> list[Shape]:
    """At most ``count`` of ``shapes`` that lie far apart in depth and width, the largest network first."""
    chosen = [max(shapes, key=lambda shape: shape.parameters)]
    while len(chosen) < min(count, len(shapes)):
        chosen.append(max(shapes, key=lambda shape: min(_distance(shape, other) for other in chosen)))
    return chosen


def makespan_s(cells_s: Iterable[float], workers: int) -> float:
    """Seconds until ``workers`` have done all cells, each taking the longest that is left when it is free."""
    free = [0.0] * workers
    for seconds in sorted(cells_s, reverse=True):
        free[free.index(min(free))] += seconds
    return max(free)


def transfer(ratios: Mapping[Shape, float], shape: Shape) -> float:
    """What ``ratios``, known at some shapes, suggest for ``shape``: their mean, the near ones counting most.

    The mean is geometric, and a shape's weight the inverse square of its distance on log axes (Shepard 1968).
    """
    near = np.array([1 / (_distance(shape, other) ** 2 + 1e-9) for other in ratios])
    logarithms = np.log(np.fromiter(ratios.values(), float))
    return math.exp(float(near @ logarithms / near.sum()))


def _predict(weights: np.ndarray, measured: Mapping[Shape, float], shape: Shape) -> float:
    ratios = {other: seconds / float(_terms(other) @ weights) for other, seconds in measured.items()}
    return float(_terms(shape) @ weights) * transfer(ratios, shape)


def _terms(shape: Shape) -> np.ndarray:
    first = INPUTS * shape.width
    return np.array([1.0, first, shape.parameters - first, shape.depth * shape.width, shape.depth])


def _fit(measured: Mapping[Shape, float]) -> np.ndarray:
    """Non-negative weights of the terms with the least squared relative error, by trying every set of terms."""
    rows = np.array([_terms(shape) / seconds for shape, seconds in measured.items()])
    scale = rows.max(0)
    best, least = np.zeros(rows.shape[1]), math.inf
    for size in range(1, min(rows.shape) + 1):
        for terms in combinations(range(rows.shape[1]), size):
            some = rows[:, terms] / scale[list(terms)]
            weights = np.linalg.lstsq(some, np.ones(len(rows)), rcond=None)[0]
            error = float(((some @ weights - 1) ** 2).sum())
            if (weights >= 0).all() and error < least - 1e-12:
                best, least = np.zeros(rows.shape[1]), error
                best[list(terms)] = weights / scale[list(terms)]
    return best


def _distance(shape: Shape, other: Shape) -> float:
    return math.hypot(math.log(shape.depth / other.depth), math.log(shape.width / other.width))
