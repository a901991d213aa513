"""Many tests at once: p-values corrected for their number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[Any]]


def holm(p: Array) -> Array:
    """Correct a declared family: the chance of any false finding is at most 5 % at 0.05 (Holm, 1979). NaN stays NaN."""
    return _corrected(p, "holm")


def benjamini_hochberg(p: Array) -> Array:
    """Correct what was not declared: of the findings at 0.05, at most 5 % are expected to be false (1995)."""
    return _corrected(p, "fdr_bh")


def _corrected(p: Array, method: str) -> Array:
    import numpy as np

    corrected = np.full(len(p), np.nan)
    known = ~np.isnan(np.asarray(p, dtype=float))
    if known.any():
        from statsmodels.stats.multitest import multipletests

        corrected[known] = multipletests(np.asarray(p, dtype=float)[known], method=method)[1]
    return corrected
