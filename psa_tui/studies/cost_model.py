"""What a trial's meta-loop costs with any network, predicted from the few networks that were measured. No torch.

The cost is a sum of non-negative terms (a constant, the products of the first layer and of the others, activations,
layers), fitted to the measured networks in relative error. What a measured network differs from that by is given to
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

from psa_tui.data import DatasetSpec
from psa_tui.networks import Network

_OPERATIONS_PER_S = 5e10
"""Of some core: only to guess by, where nothing was measured."""

Position = tuple[float, float]
"""Depth (hidden layers) and width (units a layer, the mean) of a network."""


@dataclass(frozen=True)
class CostModel:
    """Seconds of one trial's meta-loop on one worker, by network."""

    measured: Mapping[Network, float]

    def predict(self, network: Network) -> float:
        """Return the seconds of ``network``: as measured, or as the measured ones suggest."""
        return self.measured.get(network) or _predict(self._weights, self.measured, network)

    @cached_property
    def errors(self) -> tuple[float, float]:
        """How far off a measured network would have been predicted by the others, relative: median and worst.

        NaN with fewer than three measured networks.
        """
        if len(self.measured) < 3:
            return math.nan, math.nan
        errors = []
        for network, seconds in self.measured.items():
            others = {other: cost for other, cost in self.measured.items() if other != network}
            errors.append(abs(_predict(_fit(others), others, network) / seconds - 1))
        return median(errors), max(errors)

    @cached_property
    def _weights(self) -> np.ndarray:
        return _fit(self.measured)


def representatives(networks: Sequence[Network], count: int) -> list[Network]:
    """Return at most ``count`` of ``networks`` that lie far apart in depth and width, the largest first."""
    chosen = [max(networks, key=lambda network: network.parameters)]
    while len(chosen) < min(count, len(networks)):
        chosen.append(
            max(
                networks,
                key=lambda network: min(_distance(_position(network), _position(other)) for other in chosen),
            )
        )
    return chosen


def makespan_s(parts_s: Iterable[float], workers: int) -> float:
    """Return the seconds until ``workers`` have done all parts, each taking the longest left when it is free."""
    free = [0.0] * workers
    for seconds in sorted(parts_s, reverse=True):
        free[free.index(min(free))] += seconds
    return max(free)


def guess_s(network: Network, data: DatasetSpec) -> float:
    """Return the seconds of a trial's meta-loop on some core, guessed from its operations and its calls."""
    operations = network.meta_loop_operations(data.train_count, data.validation_count)
    return operations / _OPERATIONS_PER_S + 5e-4 * network.depth + 5e-3


def transfer(ratios: Mapping[Position, float], position: Position) -> float:
    """Return what ``ratios``, known at some positions, suggest at another: their mean, the near ones counting most.

    The mean is geometric, and a position's weight the inverse square of its distance on log axes (Shepard 1968).
    Screens call it too, with the depths and widths of ``StudyStarted``.
    """
    near = np.array([1 / (_distance(position, other) ** 2 + 1e-9) for other in ratios])
    logarithms = np.log(np.fromiter(ratios.values(), float))
    return math.exp(float(near @ logarithms / near.sum()))


def _predict(weights: np.ndarray, measured: Mapping[Network, float], network: Network) -> float:
    ratios = {_position(other): seconds / float(_terms(other) @ weights) for other, seconds in measured.items()}
    return float(_terms(network) @ weights) * transfer(ratios, _position(network))


def _terms(network: Network) -> np.ndarray:
    first = network.input_products
    return np.array([1.0, first, network.products - first, network.activations, network.depth])


def _fit(measured: Mapping[Network, float]) -> np.ndarray:
    """Return non-negative weights of the terms with the least squared relative error, found by trying every set."""
    rows = np.array([_terms(network) / seconds for network, seconds in measured.items()])
    scale = rows.max(0)
    # A term that is nothing in all of them, such as layers of networks without hidden ones, stays nothing.
    scale[scale == 0] = 1
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


def _position(network: Network) -> Position:
    return network.depth, network.width


def _distance(one: Position, other: Position) -> float:
    """Return the distance on log axes; what has no hidden units lies where one unit does."""
    depths, widths = (max(one[0], 1) / max(other[0], 1), max(one[1], 1) / max(other[1], 1))
    return math.hypot(math.log(depths), math.log(widths))
