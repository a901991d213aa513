"""Permutation tests of a difference of means: by flipping signs of pairs, by exchanging labels within strata."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations
from math import comb
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
_MOST_LABELLINGS = 20_000
"""Eight against eight have 12,870."""
_STRATA = 16
"""Strata whose labels change places at a time."""


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


def exchange_labels(strata: Sequence[tuple[Array, Array]], resamples: int = RESAMPLES) -> tuple[float, list[float]]:
    """Return the two-sided p-value that labels mean nothing, of all strata together and of each alone.

    How often do other labels give as large a difference? The statistic is mean(a) - mean(b), the mean of it over
    strata; labels change places within their stratum alone (stratified permutation: Edgington and Onghena, 2007). Of a
    stratum all labellings are counted, or ``resamples`` where they are more than 20,000; of all together,
    ``resamples`` with a fixed seed.
    """
    import numpy as np

    drawn = np.random.default_rng(_SEED)
    found, sums, single = 0.0, np.zeros(resamples), [1.0] * len(strata)
    sizes: dict[tuple[int, int], list[int]] = {}
    for index, (a, b) in enumerate(strata):
        if max(a.max(), b.max()) > min(a.min(), b.min()):
            sizes.setdefault((len(a), len(b)), []).append(index)
    for size, members in sizes.items():
        labels = _labellings(*size, resamples)
        for start in range(0, len(members), _STRATA):
            chosen = members[start : start + _STRATA]
            values = np.array([np.concatenate(strata[index]) for index in chosen])
            # A difference of means is a weighted sum: 1 / n_a for one label, -1 / n_b for the other.
            differences = values @ labels.T
            for index, row, (one, *_) in zip(chosen, differences, differences, strict=True):
                found += one
                # Sums of the same numbers in another order differ in their last bits.
                reached = int((np.abs(row) >= abs(one) - 1e-12).sum())
                single[index] = reached / len(row)
                sums += row[drawn.integers(len(row), size=resamples)]
    return float((1 + (np.abs(sums) >= abs(found) - 1e-12).sum()) / (resamples + 1)), single


@lru_cache(maxsize=4)
def _labellings(count_a: int, count_b: int, resamples: int) -> Array:
    """Return the weights of a difference of means, labels as they are first: [labellings, count_a + count_b]."""
    import numpy as np

    count = count_a + count_b
    if comb(count, count_a) <= _MOST_LABELLINGS:
        places = np.array(list(combinations(range(count), count_a)))
        weights = np.full((len(places), count), -1 / count_b)
        np.put_along_axis(weights, places, 1 / count_a, axis=1)
        return weights
    found = np.repeat([1 / count_a, -1 / count_b], [count_a, count_b])
    mixed = np.random.default_rng(_SEED + 1).permuted(np.broadcast_to(found, (resamples, count)), axis=1)
    return np.concatenate([found[None], mixed])


def _signed_sums(values: Array) -> Array:
    """Return the sums of ``values`` with all signs: [2 ** len(values)]."""
    import numpy as np

    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums + value, sums - value])
    return sums
