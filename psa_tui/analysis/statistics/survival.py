"""When something happens, where it need not happen at all: Kaplan-Meier and log-rank."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from pandas import DataFrame

    Array = np.ndarray[Any, np.dtype[Any]]


def kaplan_meier(times: Array, happened: Array, level: float = 0.95) -> DataFrame:
    """Return the share to which it has not happened yet, with a band (Kaplan and Meier, 1958).

    The band is that of Greenwood's error on the scale log(-log S) (Kalbfleisch and Prentice, 2002), point by point; NaN
    while S is 1 or 0, where that scale has no value. Columns: ``time``, ``survival``, ``low``, ``high``, ``at_risk``, a
    row for each time at which it happened.

    Args:
        times: [trials], when it happened, or until when it had not.
        happened: [trials], booleans.
        level: of the band.
    """
    import numpy as np
    import pandas as pd
    from scipy.special import ndtri
    from statsmodels.duration.survfunc import SurvfuncRight

    if not happened.any():
        return pd.DataFrame(columns=["time", "survival", "low", "high", "at_risk"], dtype=float)
    curve = SurvfuncRight(times, happened.astype(int))
    survival, error = np.asarray(curve.surv_prob), np.asarray(curve.surv_prob_se)
    with np.errstate(divide="ignore", invalid="ignore"):
        middle = np.log(-np.log(survival))
        reach = ndtri((1 + level) / 2) * error / np.abs(survival * np.log(survival))
        low, high = np.exp(-np.exp(middle + reach)), np.exp(-np.exp(middle - reach))
    inside = (survival > 0) & (survival < 1)
    return pd.DataFrame(
        {
            "time": curve.surv_times,
            "survival": survival,
            "low": np.where(inside, low, np.nan),
            "high": np.where(inside, high, np.nan),
            "at_risk": curve.n_risk,
        }
    )


def log_rank(times: Array, happened: Array, group: Array, strata: Array) -> float:
    """Return the p-value that groups differ in nothing, stratum by stratum (Mantel, 1966; Peto and Peto, 1972).

    NaN where it happened to nobody, where no stratum has both groups, or where it happened to all of them at once.
    """
    import numpy as np
    from statsmodels.duration.survfunc import survdiff

    # A stratum in which nothing happens, or which has one group alone, tells nothing (and statsmodels stumbles).
    tells = np.zeros(len(times), dtype=bool)
    for stratum in np.unique(strata):
        rows = strata == stratum
        tells[rows] = happened[rows].any() and len(np.unique(group[rows])) > 1
    if not tells.any():
        return float("nan")
    _, codes = np.unique(group[tells], return_inverse=True)
    _, where = np.unique(strata[tells], return_inverse=True)
    try:
        with np.errstate(divide="ignore", invalid="ignore"):
            return float(survdiff(times[tells], happened[tells].astype(int), codes, strata=where)[1])
    except np.linalg.LinAlgError:
        return float("nan")
