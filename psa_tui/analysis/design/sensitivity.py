"""The smallest effect a study could have seen, given how many trials it has and how they scatter.

What the study found plays no part: the power to see what was found says no more than its p-value (Hoenig and Heisey
2001).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psa_tui.analysis.design.power import Aim, mcnemar_n
from psa_tui.analysis.frames import shown_architectures
from psa_tui.analysis.loop_measures import OF_LOOPS
from psa_tui.analysis.seeding import Design, design_within
from psa_tui.studies.design.plan import Endpoint

if TYPE_CHECKING:
    import numpy as np
    from pandas import DataFrame

    Array = np.ndarray[Any, np.dtype[Any]]

_COLUMNS = {
    Endpoint.VALIDATION: "best_validation_accuracy",
    Endpoint.TEST: "test_accuracy",
    Endpoint.ESCAPE: "test_accuracy",
    **OF_LOOPS,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensitivity:
    """What a contrast of a study could have seen."""

    contrast: str
    endpoint: Endpoint
    shape: str | None
    """None for all together."""
    paired: bool
    n: int
    """Pairs, or trials of the smaller side."""
    spread: float | None
    """Standard deviation, within networks, of the pairs' differences or of the trials; of escape the share of pairs
    that differ, or the control's rate. A fraction; None where one trial has none."""
    smallest: float | None
    """The smallest difference seen with the power asked for, a fraction; None where no difference would be, or where
    trials that do not scatter at all tell nothing."""


def sensitivities(
    trials: DataFrame,
    contrasts: Sequence[tuple[str, str]],
    endpoints: Sequence[Endpoint],
    aim: Aim,
    *,
    escape_above: float | None,
    by_shape: bool = False,
) -> Iterator[Sensitivity]:
    """Yield what each contrast (treatment, control) could have seen at each endpoint that was measured.

    Those of meta-loops are, in ``trials`` of ``with_loop_measures``.
    """
    shapes = shown_architectures(trials)
    groups: list[tuple[str | None, list[str]]] = (
        [(shape, [shape]) for shape in shapes] if by_shape else [(None, shapes)]
    )
    for treatment, control in contrasts:
        paired = design_within(trials[trials["mode"].isin([treatment, control])]) is Design.PAIRED
        for endpoint in endpoints:
            column = _measured(trials, endpoint, escape_above)
            if column is None:
                continue
            for shape, members in groups:
                strata = list(_strata(column, members, treatment, control, paired))
                if strata:
                    n = sum(min(len(a), len(b)) for a, b in strata)
                    spread, smallest = _seen(strata, n, aim, paired, endpoint is Endpoint.ESCAPE)
                    yield Sensitivity(
                        contrast=f"{treatment} - {control}",
                        endpoint=endpoint,
                        shape=shape,
                        paired=paired,
                        n=n,
                        spread=spread,
                        smallest=smallest,
                    )


def _measured(trials: DataFrame, endpoint: Endpoint, escape_above: float | None) -> DataFrame | None:
    """Return the trials with their ``value``; None where it was not measured."""
    column = _COLUMNS[endpoint]
    if column not in trials or trials[column].isna().all() or (endpoint is Endpoint.ESCAPE and escape_above is None):
        return None
    values = trials[column]
    if endpoint is Endpoint.ESCAPE:
        values = (values > escape_above).astype("float64").where(values.notna())
    table = trials[["architecture", "mode", "trial"]].copy()
    table.attrs = {}  # pandas would copy them, deeply, for every shape
    return table.assign(value=values).dropna(subset=["value"])


def _strata(
    table: DataFrame, shapes: Sequence[str], treatment: str, control: str, paired: bool
) -> Iterator[tuple[Array, Array]]:
    for shape in shapes:
        rows = table[table["architecture"] == shape]
        a, b = (rows[rows["mode"] == mode].set_index("trial")["value"] for mode in (treatment, control))
        if paired:
            a, b = a.align(b, join="inner")
        if len(a) and len(b):
            yield a.to_numpy(), b.to_numpy()


def _seen(
    strata: Sequence[tuple[Array, Array]], n: int, aim: Aim, paired: bool, is_rate: bool
) -> tuple[float | None, float | None]:
    import numpy as np

    if is_rate and paired:
        discordant = float(np.mean(np.concatenate([a != b for a, b in strata])))
        return discordant, _smallest_of_pairs(discordant, n, aim)
    if is_rate:
        rate = float(np.mean(np.concatenate([b for _, b in strata])))
        return rate, _smallest_of_rates(rate, n, aim)
    samples = [a - b for a, b in strata] if paired else [side for pair in strata for side in pair]
    freedom = sum(len(one) - 1 for one in samples)
    if not freedom:
        return None, None
    spread = math.sqrt(sum(float(((one - one.mean()) ** 2).sum()) for one in samples) / freedom)
    return spread, _smallest_of_means(spread, n, aim, paired)


def _smallest_of_means(spread: float, n: int, aim: Aim, paired: bool) -> float | None:
    from statsmodels.stats.power import TTestIndPower, TTestPower

    if n < 2 or spread < 1e-9:
        return None
    solver, name = (TTestPower(), "nobs") if paired else (TTestIndPower(), "nobs1")
    side = "two-sided" if aim.two_sided else "larger"
    return spread * float(solver.solve_power(None, alpha=aim.alpha, power=aim.power, alternative=side, **{name: n}))


def _smallest_of_pairs(discordant: float, n: int, aim: Aim) -> float | None:
    """Return the difference that ``n`` pairs show of which so many differ (Connor 1987)."""
    from scipy.optimize import brentq

    def lacking(difference: float) -> float:
        gain = (discordant + difference) / 2
        return mcnemar_n(gain, discordant - gain, aim.alpha, aim.power, two_sided=aim.two_sided) - n

    if discordant == 0 or lacking(discordant) > 0:
        return None
    return float(brentq(lacking, discordant * 1e-6, discordant, xtol=1e-9))


def _smallest_of_rates(rate: float, n: int, aim: Aim) -> float | None:
    """Return how far above the control's another rate must lie, by Cohen's arcsine difference."""
    from statsmodels.stats.power import NormalIndPower

    side = "two-sided" if aim.two_sided else "larger"
    size = NormalIndPower().solve_power(None, nobs1=n, alpha=aim.alpha, power=aim.power, alternative=side)
    angle = 2 * math.asin(math.sqrt(rate)) + float(size)
    return math.sin(angle / 2) ** 2 - rate if angle <= math.pi else None
