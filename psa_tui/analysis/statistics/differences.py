"""A difference of means over strata: its standard error, interval, and the test that it is smaller than a margin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference of means, every stratum of the same weight.

    ``error`` (its standard error) and ``freedom`` (degrees of freedom of its t distribution) are NaN where a stratum
    has a single value or nothing has any spread.
    """

    value: float
    error: float
    freedom: float

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Return the interval by Student's t; NaN where the error is not known."""
        from scipy.special import stdtrit

        reach = float(stdtrit(self.freedom, (1 + level) / 2)) * self.error
        return self.value - reach, self.value + reach

    def equivalence(self, margin: float) -> float:
        """Return the p-value that the difference is ``margin`` or more, either way (TOST: Schuirmann, 1987).

        Where it is small, the difference is shown to lie within the margin; NaN where the error is not known.
        """
        from scipy.special import stdtr

        below = stdtr(self.freedom, (self.value - margin) / self.error)
        above = stdtr(self.freedom, -(self.value + margin) / self.error)
        return float(max(below, above))


def paired_difference(strata: Sequence[Array]) -> Difference:
    """Return the mean over strata of the mean of their paired differences; of one stratum, the paired t test's.

    Of values that are no differences it is their mean.
    """
    return _pooled([float(stratum.mean()) for stratum in strata], [[stratum] for stratum in strata])


def independent_difference(strata: Sequence[tuple[Array, Array]]) -> Difference:
    """Return the mean over strata of mean(a) - mean(b); of one stratum, Welch's (1947)."""
    return _pooled([float(a.mean() - b.mean()) for a, b in strata], [list(stratum) for stratum in strata])


def _pooled(means: list[float], samples: list[list[Array]]) -> Difference:
    """Combine strata by the degrees of freedom of Satterthwaite (1946)."""
    nan = float("nan")
    value = sum(means) / len(means) if means else nan
    parts, squares = 0.0, 0.0
    for sample in (one for stratum in samples for one in stratum):
        if len(sample) < 2:
            return Difference(value, nan, nan)
        part = float(sample.var(ddof=1)) / len(sample) / len(means) ** 2
        parts, squares = parts + part, squares + part**2 / (len(sample) - 1)
    # Values that are equal but for their last bits have no spread.
    return Difference(value, nan, nan) if parts < 1e-24 else Difference(value, parts**0.5, parts**2 / squares)
