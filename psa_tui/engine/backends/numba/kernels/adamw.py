"""AdamW (Loshchilov & Hutter 2019), sixteen parameters at a time: m and v are moments, c1 and c2 correct their bias.

m = m + (1 - b1)(g - m), v = b2 v + (1 - b2) g g, w = d w - (rate / c1) m / (sqrt(v) / sqrt(c2) + eps), d: the decay.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from psa_tui.engine.backends.numba.kernels.compiling import part
from psa_tui.engine.backends.numba.kernels.vector_type import LANES
from psa_tui.engine.backends.numba.kernels.vectors import fma, load, splat, splat_at, square_root, store

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8

Array = np.ndarray


@part
def update(gradient: Any, at: int, weights: Array, first: Array, second: Array, rates: Array, rates_at: int = 0) -> Any:
    """Take a step with ``weights[at : at + LANES]`` and their moments; return the new weights, a vector.

    Args:
        gradient: of these weights, a vector.
        rates: from ``rates_at`` on, learning rate / c1, 1 / sqrt(c2), and the factor of the decay.
    """
    number = weights.dtype.type
    mean = load(first, at)
    mean = fma(splat(number(1 - BETA1)), gradient - mean, mean)
    store(first, at, mean)
    variance = load(second, at) * splat(number(BETA2))
    variance = fma(splat(number(1 - BETA2)) * gradient, gradient, variance)
    store(second, at, variance)
    divisor = fma(square_root(variance), splat_at(rates, rates_at + 1), splat(number(EPSILON)))
    updated = load(weights, at) * splat_at(rates, rates_at + 2) - splat_at(rates, rates_at) * mean / divisor
    store(weights, at, updated)
    return updated


@part
def update_share(share: int, gradients: Array, weights: Array, first: Array, second: Array, rates: Array) -> None:
    """Take a thread's part of a step with ``weights``, whose number is a multiple of ``LANES``.

    ``gradients`` [shares, weights] are those of each thread's images; flat.
    """
    count, shares = len(weights), len(gradients) // len(weights)
    begin = count // LANES * share // shares * LANES
    end = count // LANES * (share + 1) // shares * LANES
    for at in range(begin, end, LANES):
        gradient = load(gradients, at)
        for other in range(1, shares):
            gradient = gradient + load(gradients, other * count + at)
        update(gradient, at, weights, first, second, rates)
