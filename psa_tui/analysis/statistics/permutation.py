"""Permutation tests of a difference of means: by flipping signs of pairs, by exchanging labels within strata."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[Any]]

RESAMPLES = 9_999
"""Of a test that does not count all; a p-value of 0.05 is then known to 0.004 (twice its standard error)."""
_EXACT_PAIRS = 20
_SEED = 0
_BLOCK = 4_000_000
"""Numbers drawn at a time."""


def sign_flip(differences: Array, resamples: int = RESAMPLES) -> float:
    """Return the two-sided p-value that pairs differ by nothing: how often random signs give as large a sum.

    All signs are counted for up to 20 differences other than 0 (Fisher, 1935), else ``resamples`` of a fixed seed, the
    one found among them (Phipson and Smyth, 2010). Strata are pooled by weighting their differences beforehand.
    """
    import numpy as np

    values = np.asarray(differences, dtype=float)
    values = values[values != 0]
    if not len(values):
        return 1.0
    found = abs(values.sum()) * (1 - 1e-9)
    if len(values) <= _EXACT_PAIRS:
        middle = len(values) // 2
        sums = np.add.outer(_signed_sums(values[:middle]), _signed_sums(values[middle:]))
        return float((np.abs(sums) >= found).mean())
    drawn = np.random.default_rng(_SEED)
    reached, left = 1, resamples
    while left:
        count = min(left, max(_BLOCK // len(values), 1))
        bits = np.unpackbits(drawn.integers(256, size=(count, -(-len(values) // 8)), dtype=np.uint8), axis=1)
        # A sum with signs is twice the sum of those kept, less the sum of all.
        sums = 2 * (bits[:, : len(values)] @ values) - values.sum()
        reached += int((np.abs(sums) >= found).sum())
        left -= count
    return reached / (resamples + 1)


def exchange_labels(strata: Sequence[tuple[Array, Array]], resamples: int = RESAMPLES) -> float:
    """Return the two-sided p-value that labels mean nothing: how often random labels give as large a difference.

    The statistic is the mean over strata of mean(a) - mean(b); labels change places within their stratum alone
    (stratified permutation: Edgington and Onghena, 2007), ``resamples`` times with a fixed seed.
    """
    import numpy as np

    drawn = np.random.default_rng(_SEED)
    found, sums = 0.0, np.zeros(resamples)
    for a, b in strata:
        found += a.mean() - b.mean()
        both = np.concatenate([a, b])
        if np.ptp(both) == 0:
            continue
        for start in range(0, resamples, max(_BLOCK // len(both), 1)):
            count = min(resamples - start, max(_BLOCK // len(both), 1))
            mixed = drawn.permuted(np.broadcast_to(both, (count, len(both))), axis=1)
            ours = mixed[:, : len(a)].sum(axis=1)
            sums[start : start + count] += ours / len(a) - (both.sum() - ours) / len(b)
    # Sums of the same numbers in another order differ in their last bits.
    return float((1 + (np.abs(sums) >= abs(found) - 1e-12).sum()) / (resamples + 1))


def _signed_sums(values: Array) -> Array:
    """Return the sums of ``values`` with all signs: [2 ** len(values)]."""
    import numpy as np

    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums + value, sums - value])
    return sums
