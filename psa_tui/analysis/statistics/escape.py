"""Tests of what either happens or does not: whether a trial escaped."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[Any]]

LEAST_CLUSTERS = 5
"""With fewer shapes their spread is not known well enough for the model's interval."""


def mcnemar(a: Array, b: Array) -> float:
    """Return the two-sided mid-p-value that pairs disagree as often in one direction as in the other.

    Only pairs count in which one of the two escaped (McNemar, 1947). The exact binomial p-value has few possible values
    and errs far on the safe side; half of what was found itself is taken off it (Fagerland, Lydersen and Laake, 2013).
    1 without any such pair.
    """
    from scipy.stats import binom

    gained, lost = int((a & ~b).sum()), int((b & ~a).sum())
    if gained == lost:
        return 1.0
    fewer, pairs = min(gained, lost), gained + lost
    return float(2 * binom.cdf(fewer, pairs, 0.5) - binom.pmf(fewer, pairs, 0.5))


@dataclass(frozen=True, slots=True)
class OddsRatio:
    """How many times the odds of an escape are those of the control; ``problem`` says why there is none."""

    value: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    p: float = float("nan")
    problem: str = ""


def logistic_model(escaped: Array, treated: Array, shape: Array, level: float = 0.95) -> OddsRatio:
    """Fit the odds ratio of ``treated`` trials, all trials of a shape taken as one cluster, however they hang together.

    Generalised estimating equations (Liang and Zeger, 1986), exchangeable within a shape, with the covariance of Mancl
    and DeRouen (2001) for few clusters and Student's t with a degree of freedom less than there are shapes. Seeds lie
    within shapes, so whatever the trials of a seed share is covered. Random effects of both were tried first
    (statsmodels' BinomialBayesMixedGLM): its Laplace fit ends at variances of zero, its variational one halves the
    standard error.

    Args:
        escaped: [trials], booleans.
        treated: [trials], booleans: the mode's trials, not its control's.
        shape: [trials], the shape of each.
        level: of the interval.
    """
    import numpy as np
    from scipy.special import stdtr, stdtrit

    if reason := _unfit(escaped, treated, shape):
        return OddsRatio(problem=reason)
    from statsmodels.api import GEE, add_constant, cov_struct, families

    _, clusters = np.unique(shape, return_inverse=True)
    order = np.argsort(clusters, kind="stable")
    model = GEE(
        escaped[order].astype(float),
        add_constant(treated[order].astype(float)),
        groups=clusters[order],
        family=families.Binomial(),
        cov_struct=cov_struct.Exchangeable(),
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            fitted = model.fit(cov_type="bias_reduced")
            value, error = float(fitted.params[1]), float(fitted.bse[1])
    except (Warning, ArithmeticError, ValueError, np.linalg.LinAlgError) as problem:
        return OddsRatio(problem=f"its equations have no solution here ({problem})")
    freedom = int(clusters.max())
    reach = float(stdtrit(freedom, (1 + level) / 2)) * error
    p = 2 * float(stdtr(freedom, -abs(value / error)))
    low, high = float(np.exp(value - reach)), float(np.exp(value + reach))
    return OddsRatio(float(np.exp(value)), low, high, p)


def _unfit(escaped: Array, treated: Array, shape: Array) -> str:
    """Say why no odds ratio can be estimated; nothing where one can."""
    if len(set(shape.tolist())) < LEAST_CLUSTERS:
        return f"it needs {LEAST_CLUSTERS} shapes"
    if _same(escaped, treated, shape):
        return "in every shape as many trials escaped as of the control"
    for rows, words in ((treated, "mode"), (~treated, "control")):
        if escaped[rows].all() or not escaped[rows].any():
            return f"{'all trials' if escaped[rows].any() else 'no trial'} of the {words} escaped"
    return ""


def _same(escaped: Array, treated: Array, shape: Array) -> bool:
    """Whether every shape has the same share of escapes on both sides: then there is no spread to estimate."""
    import numpy as np

    ours, theirs = (np.bincount(shape[rows], escaped[rows]) / np.bincount(shape[rows]) for rows in (treated, ~treated))
    return bool(np.array_equal(ours, theirs))
