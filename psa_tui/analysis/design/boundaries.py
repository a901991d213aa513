"""Boundaries of sequential looks: how large a statistic must be at each, so that all of them together keep the risk.

The statistics of successive looks are those of a Brownian motion, seen at fractions of the information of the last:
Z(t) is normal with mean drift * sqrt(t) and variance 1, and the increments of Z(t) * sqrt(t) are independent. How
likely it is to leave the boundaries is integrated look by look (Armitage, McPherson and Rowe 1969; Jennison and
Turnbull 2000, chapter 19), here by Gauss-Legendre quadrature. A spending function (Lan and DeMets 1983) says how much
of the risk may be spent by a fraction, so looks need neither be evenly spaced nor be known beforehand.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from psa_tui.studies.design.plan import Spending

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[Any]]

HIGHEST = 38.0
"""No boundary is higher: beyond it lies less than the smallest double."""
_TAIL = 8.0
"""How far from its mean a path is followed; less than 1e-15 of all are further away."""
_NODES = (100, 200, 400, 800)


def spent(spending: Spending, alpha: float, fraction: float) -> float:
    """Return how much of a one-sided ``alpha`` may be spent by ``fraction`` of the information."""
    from scipy.special import ndtr, ndtri

    if fraction >= 1:
        return alpha
    if spending is Spending.POCOCK:
        return float(alpha * math.log(1 + (math.e - 1) * fraction))
    return float(2 * ndtr(ndtri(alpha / 2) / math.sqrt(fraction)))


def boundaries(fractions: Sequence[float], alpha: float, spending: Spending, *, two_sided: bool) -> tuple[float, ...]:
    """Return the boundary of Z at each look: above it, or on both sides beyond it, the null hypothesis is rejected.

    Args:
        fractions: of the information, ascending, at most 1.
        alpha: the risk of all looks together; of both sides together where it is ``two_sided``.
    """
    return _boundaries(tuple(fractions), alpha, spending, two_sided)


@lru_cache(maxsize=256)
def _boundaries(fractions: tuple[float, ...], alpha: float, spending: Spending, two_sided: bool) -> tuple[float, ...]:
    from scipy.optimize import brentq

    sides = 2 if two_sided else 1
    process = _Process(two_sided)
    found = []
    before = 0.0
    for fraction in fractions:
        now = sides * spent(spending, alpha / sides, fraction)
        allowed = max(now - before, 1e-300)
        process.observe(fraction)

        def excess(bound: float, allowed: float = allowed) -> float:
            return math.log(max(process.beyond(bound), 1e-320)) - math.log(allowed)

        found.append(HIGHEST if excess(HIGHEST) > 0 else float(brentq(excess, -_TAIL, HIGHEST, xtol=1e-9)))
        process.stay_within(found[-1])
        before = now
    return tuple(found)


def crossing_probabilities(
    bounds: Sequence[float], fractions: Sequence[float], *, two_sided: bool, drift: float = 0.0
) -> tuple[float, ...]:
    """Return how likely a path leaves the boundaries first at each look.

    Args:
        drift: the mean of Z at full information: 0 under the null hypothesis.
    """
    process = _Process(two_sided, drift)
    found = []
    for bound, fraction in zip(bounds, fractions, strict=True):
        process.observe(fraction)
        found.append(process.beyond(bound))
        process.stay_within(bound)
    return tuple(found)


def nominal_level(bound: float, *, two_sided: bool) -> float:
    """Return the p-value of a statistic on the boundary."""
    from scipy.special import ndtr

    return float((2 if two_sided else 1) * ndtr(-bound))


@lru_cache
def _quadrature(count: int) -> tuple[Array, Array]:
    """Return the nodes and weights of Gauss and Legendre on [-1, 1]."""
    import numpy as np

    return np.polynomial.legendre.leggauss(count)


class _Process:
    """The paths that have not left the boundaries: points where they were last seen, and the mass at each."""

    def __init__(self, two_sided: bool, drift: float = 0.0) -> None:
        import numpy as np

        self._two_sided, self._drift = two_sided, drift
        self._fraction = 0.0
        self._points, self._masses = np.zeros(1), np.ones(1)
        self._means, self._spread = self._points, 1.0

    def observe(self, fraction: float) -> None:
        """Go on to ``fraction``: each point becomes the mean of a normal distribution of Z there."""
        gained = fraction - self._fraction
        self._means = (self._points * math.sqrt(self._fraction) + self._drift * gained) / math.sqrt(fraction)
        self._spread = math.sqrt(gained / fraction)
        self._fraction = fraction

    def beyond(self, bound: float) -> float:
        """Return the mass of the paths that are beyond ``bound`` now."""
        from scipy.special import ndtr

        tails = ndtr((self._means - bound) / self._spread)
        if self._two_sided:
            tails = tails + ndtr((-bound - self._means) / self._spread)
        return float(self._masses @ tails)

    def stay_within(self, bound: float) -> None:
        """Leave out the paths that are beyond ``bound`` now."""
        import numpy as np

        reach = _TAIL + abs(self._drift)
        high = min(bound, reach)
        low = -high if self._two_sided else -reach
        # A few to a standard deviation.
        wanted = 4 * (high - low) / self._spread
        nodes, weights = _quadrature(next((count for count in _NODES if count >= wanted), _NODES[-1]))
        points = (high - low) / 2 * nodes + (high + low) / 2
        distances = (points[:, None] - self._means) / self._spread
        densities = np.exp(-(distances**2) / 2) @ self._masses / (self._spread * math.sqrt(2 * math.pi))
        self._points, self._masses = points, (high - low) / 2 * weights * densities
