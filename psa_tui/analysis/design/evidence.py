"""What trials say of a hypothesis: a difference, its statistic and its p-value, by the test that the seeding calls for.

Trials of two variants that share their seeds are compared pair by pair: where nothing differs, the signs of the
differences are exchangeable. With yes-or-no endpoints that is McNemar's exact test, a binomial one; all sign patterns
are counted where there are few pairs, and for more the score statistic sum(d) / sqrt(sum(d^2)) is referred to Student's
t, as the t-test of its mean is. Independent trials are exchangeable within their network (a stratum): the statistic is
the sum of the strata's differences over its standard deviation under permutation, which for yes-or-no endpoints is that
of Cochran, Mantel and Haenszel. A margin is taken off the treatment first.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from psa_tui.storage.study_rows import COMPLETE, TrialRow
from psa_tui.studies.design.plan import Direction, Endpoint, Hypothesis

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[Any]]

_FEW_PAIRS = 14
_EXACT = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What was found of a hypothesis."""

    n: int
    """Pairs, or trials of the smaller side."""
    estimate: float
    """Of the difference, treatment - control, a fraction: the mean of the networks'."""
    standard_error: float
    p: float
    """One-sided, of the worse side where the claim is equivalence; two-sided for ``DIFFERENT``."""
    test: str


class LoopMeasures(NamedTuple):
    """What ``analysis.loop_measures`` says of a trial; NaN where it does not know."""

    start: float
    harm_rate: float


Trial = tuple[str, str, int]
"""Network, variant and number."""
Strata = Sequence[tuple["Array", "Array"]]
"""For each network the values of treatment and control; where trials are paired, row i belongs to row i."""


def weigh(strata: Strata, hypothesis: Hypothesis, *, paired: bool) -> Evidence:
    """Test a hypothesis on the trials of ``strata``, which are not empty."""
    import numpy as np

    margin = hypothesis.margin
    if hypothesis.direction is Direction.GREATER:
        p, test = _one_sided(strata, margin, paired)
    elif hypothesis.direction is Direction.LESS:
        p, test = _one_sided(_swapped(strata), margin, paired)
    else:
        # The null hypothesis of TOST is one of two sides, that of a difference both.
        above, test = _one_sided(strata, -margin, paired)
        below, _ = _one_sided(_swapped(strata), -margin, paired)
        p = min(1.0, 2 * min(above, below)) if hypothesis.two_sided else max(above, below)
    differences = [float(a.mean() - b.mean()) for a, b in strata]
    errors = [_variance_of_difference(a, b, paired) for a, b in strata]
    return Evidence(
        n=int(sum(min(len(a), len(b)) for a, b in strata)),
        estimate=float(np.mean(differences)),
        standard_error=math.sqrt(sum(errors)) / len(strata),
        p=p,
        test=test,
    )


def measured(
    rows: Sequence[TrialRow], endpoint: Endpoint, escape_above: float, of_loops: Mapping[Trial, LoopMeasures]
) -> dict[Trial, float]:
    """Return the values of the complete trials.

    A trial that never promoted anything has not escaped; its accuracies and its gain are not known.
    """
    found: dict[Trial, float] = {}
    for row in rows:
        if row.state != COMPLETE:
            continue
        value = row.bounty if endpoint is Endpoint.VALIDATION else row.test_accuracy
        if endpoint in (Endpoint.GAIN, Endpoint.HARM):
            value = _of_loops(row, endpoint, of_loops)
        if endpoint is Endpoint.ESCAPE and (value is not None or row.bounty is None):
            value = float(value is not None and value > escape_above)
        if value is not None:
            found[row.architecture, row.mode, row.trial] = value
    return found


def _of_loops(row: TrialRow, endpoint: Endpoint, of_loops: Mapping[Trial, LoopMeasures]) -> float | None:
    its = of_loops.get((row.architecture, row.mode, row.trial))
    if its is None or row.bounty is None:
        return None
    value = its.harm_rate if endpoint is Endpoint.HARM else row.bounty - its.start
    return None if math.isnan(value) else value


def strata_of(
    values: Mapping[Trial, float],
    shapes: Sequence[str],
    hypothesis: Hypothesis,
    *,
    paired: bool,
    trials: int,
) -> list[tuple[Array, Array]]:
    """Return what the first ``trials`` trials of each network measured, those of networks without any left out."""
    import numpy as np

    strata = []
    for shape in shapes:
        a, b = (
            {trial: values[shape, mode, trial] for trial in range(1, trials + 1) if (shape, mode, trial) in values}
            for mode in (hypothesis.treatment, hypothesis.control)
        )
        if paired:
            both = [trial for trial in a if trial in b]
            a, b = ({trial: side[trial] for trial in both} for side in (a, b))
        if a and b:
            strata.append((np.array(list(a.values())), np.array(list(b.values()))))
    return strata


def _swapped(strata: Strata) -> Strata:
    return [(b, a) for a, b in strata]


def _variance_of_difference(a: Array, b: Array, paired: bool) -> float:
    if min(len(a), len(b)) < 2:
        return float("nan")
    if paired:
        return float((a - b).var(ddof=1) / len(a))
    return float(a.var(ddof=1) / len(a) + b.var(ddof=1) / len(b))


def _one_sided(strata: Strata, margin: float, paired: bool) -> tuple[float, str]:
    """Return the p-value of a - b being at most ``margin``, and the name of the test."""
    import numpy as np

    if not paired:
        return _permuted(strata, margin), "stratified permutation" if len(strata) > 1 else "permutation"
    differences = np.concatenate([a - b for a, b in strata])
    if abs(margin) < _EXACT and np.isin(differences, (-1, 0, 1)).all():
        from scipy.stats import binom

        better, discordant = int((differences > 0).sum()), int((differences != 0).sum())
        return float(binom.sf(better - 1, discordant, 0.5)), "McNemar, exact"
    differences = differences - margin
    if len(differences) <= _FEW_PAIRS:
        return _all_signs(differences), "sign-flip permutation, exact"
    total, squares = differences.sum(), float((differences**2).sum())
    return _tail(total / math.sqrt(squares) if squares > _EXACT else 0.0, len(differences)), "sign-flip permutation"


def _all_signs(differences: Array) -> float:
    """Return the share of all sign patterns whose sum is at least the one found."""
    import numpy as np

    sums = np.zeros(1)
    for size in np.abs(differences):
        sums = np.concatenate([sums + size, sums - size])
    return float((sums >= differences.sum() - _EXACT * len(differences)).mean())


def _permuted(strata: Strata, margin: float) -> float:
    import numpy as np

    total, variance, freedom = 0.0, 0.0, 0
    for a, b in strata:
        values = np.concatenate([a - margin, b])
        total += float(a.mean() - margin - b.mean())
        variance += float(values.var(ddof=1) * (1 / len(a) + 1 / len(b)))
        freedom += len(values) - 1
    return _tail(total / math.sqrt(variance) if variance > _EXACT else 0.0, freedom)


def _tail(score: float, freedom: int) -> float:
    """Return P(as large as ``score``), whose square is at most ``freedom``: by the t that the same data would have."""
    from scipy.special import stdtr

    left = freedom - score**2
    if freedom < 2 or left < _EXACT:
        return 1.0 if score <= 0 else 0.5**freedom
    return float(stdtr(freedom - 1, -score * math.sqrt((freedom - 1) / left)))
