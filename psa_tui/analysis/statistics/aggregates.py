"""What many trials of several shapes come to, with stratified bootstrap intervals (Agarwal et al., 2021).

A sample is a list with the values of each shape. A bootstrap draws trials anew within each shape, so that the shapes
stay what they are; of n trials n - 1, because n of them would spread too little by (n - 1) / n (Hesterberg, 2015).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[Any]]

REPEATS = 2_000
_EXACT = 1e-24
_SEED = 0


def interquartile_mean(values: Array) -> Array:
    """Return the mean of the middle half of the last axis; a quarter is cut at each end, rounded down."""
    from scipy.stats import trim_mean

    return trim_mean(values, 0.25, axis=-1)  # type: ignore[no-any-return]


def resampled(sample: Sequence[Array], repeats: int = REPEATS) -> Array:
    """Draw ``repeats`` bootstrap samples, each shape's trials from that shape's: [repeats, trials drawn]."""
    import numpy as np

    drawn = np.random.default_rng(_SEED)
    return np.concatenate([one[drawn.integers(len(one), size=(repeats, _count(one)))] for one in sample], axis=1)


def mean_interval(sample: Sequence[Array], level: float = 0.95, repeats: int = REPEATS) -> tuple[float, float]:
    """Return the interval of the mean over shapes of their means, by the symmetric studentised bootstrap (Hall, 1988).

    Student's t takes the mean and its error as independent; where few trials of a cell escape they rise together, and
    it misses too often. How far a bootstrap's mean lies from the one found, in its own standard errors, is drawn
    instead. NaN where a shape has one trial, or so few values differ that a twentieth of the bootstraps have no spread.
    """
    import numpy as np

    drawn = np.random.default_rng(_SEED)
    found, error, means, errors = 0.0, 0.0, np.zeros(repeats), np.zeros(repeats)
    for one in sample:
        if len(one) < 2:
            return float("nan"), float("nan")
        again = one[drawn.integers(len(one), size=(repeats, len(one)))]
        found, error = found + float(one.mean()), error + float(one.var(ddof=1)) / len(one)
        means, errors = means + again.mean(axis=1), errors + again.var(axis=1, ddof=1) / len(one)
    # Values that are equal but for their last bits have no spread.
    if error < _EXACT:
        return float("nan"), float("nan")
    off = np.abs(means - found)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.where(off**2 < _EXACT, 0.0, off / np.sqrt(errors))
    reach = float(np.quantile(ratios, level, method="higher")) * error**0.5 / len(sample)
    if not np.isfinite(reach):
        return float("nan"), float("nan")
    return found / len(sample) - reach, found / len(sample) + reach


def bootstrap_interval(
    sample: Sequence[Array], statistic: Callable[[Array], Array], level: float = 0.95, repeats: int = REPEATS
) -> tuple[float, float]:
    """Return the percentile interval of ``statistic``, a function of the last axis."""
    import numpy as np

    low, high = np.quantile(statistic(resampled(sample, repeats)), ((1 - level) / 2, (1 + level) / 2))
    return float(low), float(high)


def probability_of_improvement(
    pairs: Sequence[tuple[Array, Array]], level: float = 0.95, repeats: int = REPEATS
) -> tuple[float, float, float]:
    """Return the chance that a trial of a is better than one of b of the same shape, and its interval.

    Equal ones count half; the mean over shapes (Mann and Whitney's U over n_a n_b). The bootstrap counts how often
    each trial was drawn, so every pair is compared once.
    """
    import numpy as np

    drawn = np.random.default_rng(_SEED)
    found, again = 0.0, np.zeros(repeats)
    for a, b in pairs:
        wins = (1 + np.sign(np.subtract.outer(a, b))) / 2
        found += float(wins.mean()) / len(pairs)
        counts = [
            drawn.multinomial(_count(one), np.full(len(one), 1 / len(one)), repeats) / _count(one) for one in (a, b)
        ]
        again += np.einsum("ri,ij,rj->r", counts[0], wins, counts[1], optimize=True) / len(pairs)
    low, high = np.quantile(again, ((1 - level) / 2, (1 + level) / 2))
    return found, float(low), float(high)


def performance_profile(
    sample: Sequence[Array], levels: Array, level: float = 0.95, repeats: int = REPEATS
) -> tuple[Array, Array, Array]:
    """Return the share of all trials above each of ``levels`` (rising), with its pointwise interval: three [levels]."""
    import numpy as np

    def shares(values: Array) -> Array:
        # Each value counts at the levels below it: how many levels lie below, then counts from the top down.
        below = np.searchsorted(levels, values, side="left")
        width = len(levels) + 1
        rows = np.arange(len(values))[:, None] * width
        counts = np.bincount((below + rows).ravel(), minlength=len(values) * width).reshape(len(values), width)
        above: Array = counts[:, ::-1].cumsum(axis=1)[:, ::-1][:, 1:] / values.shape[1]
        return above

    found = shares(np.concatenate(list(sample))[None])[0]
    low, high = np.quantile(shares(resampled(sample, repeats)), ((1 - level) / 2, (1 + level) / 2), axis=0)
    return found, low, high


def expected_maximum(values: Array, budgets: Array) -> Array:
    """Return the expected best of n trials drawn from ``values`` with replacement, for each n of ``budgets``.

    Dodge et al. (2019), equation 4: the sum of v_(i) ((i/N)^n - ((i-1)/N)^n) over the ordered values.
    """
    import numpy as np

    ordered = np.sort(values)
    shares = np.arange(len(ordered) + 1) / len(ordered)
    steps = np.diff(shares[None, :] ** np.asarray(budgets, dtype=float)[:, None], axis=1)
    expected: Array = steps @ ordered
    return expected


def _count(values: Array) -> int:
    """Return how many of a shape's trials a bootstrap draws."""
    return max(len(values) - 1, 1)
