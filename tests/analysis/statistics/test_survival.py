import numpy as np
import pytest
from scipy import stats

from psa_tui.analysis.statistics.survival import kaplan_meier, log_rank

TREATED = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
RELAPSED = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]
PLACEBO = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]
"""Weeks in remission, leukaemia, 6-MP and placebo: Freireich et al. (1963)."""


def test_kaplan_meier_of_freireichs_patients():
    curve = kaplan_meier(np.array(TREATED), np.array(RELAPSED, bool)).set_index("time")
    assert curve["survival"].round(4).tolist() == [0.8571, 0.8067, 0.7529, 0.6902, 0.6275, 0.5378, 0.4482]
    assert curve.loc[10, "at_risk"] == 15
    # Kalbfleisch and Prentice's interval at 10 weeks, as R's survfit(conf.type="log-log") prints it.
    assert curve.loc[10, ["low", "high"]].tolist() == pytest.approx([0.5032, 0.8894], abs=1e-4)


def test_log_rank_of_freireichs_patients():
    times = np.array(TREATED + PLACEBO)
    happened = np.array(RELAPSED + [1] * 21, bool)
    group = np.array(["6-MP"] * 21 + ["placebo"] * 21)
    found = log_rank(times, happened, group, np.zeros(42))
    assert found == pytest.approx(stats.chi2.sf(16.793, 1), rel=1e-3)
    ours = stats.logrank(
        stats.CensoredData(uncensored=PLACEBO),
        stats.CensoredData(
            uncensored=[t for t, r in zip(TREATED, RELAPSED, strict=True) if r],
            right=[t for t, r in zip(TREATED, RELAPSED, strict=True) if not r],
        ),
    )
    assert found == pytest.approx(ours.pvalue)


def test_strata_that_tell_nothing_change_nothing():
    times, happened = np.array([3, 5, 9, 9, 4, 8]), np.array([1, 1, 0, 1, 1, 1], bool)
    group, strata = np.array([0, 0, 1, 1, 0, 1]), np.zeros(6)
    found = log_rank(times, happened, group, strata)
    more = log_rank(
        np.concatenate([times, [7, 7, 3]]),
        np.concatenate([happened, [False, False, True]]),
        np.concatenate([group, [0, 1, 1]]),
        np.concatenate([strata, [1, 1, 2]]),
    )
    assert more == pytest.approx(found)


def test_nothing_that_happens_is_no_curve_and_no_test():
    nothing = np.zeros(4, bool)
    assert kaplan_meier(np.full(4, 100), nothing).empty
    assert np.isnan(log_rank(np.full(4, 100), nothing, np.array([0, 0, 1, 1]), np.zeros(4)))


def test_what_happens_to_all_at_once_is_no_test():
    assert np.isnan(log_rank(np.ones(4), np.ones(4, bool), np.array([0, 0, 1, 1]), np.zeros(4)))


def test_a_curve_that_falls_to_nothing_has_no_band_there():
    curve = kaplan_meier(np.array([1, 2, 3]), np.ones(3, bool))
    assert curve["survival"].tolist() == pytest.approx([2 / 3, 1 / 3, 0])
    assert curve["low"].isna().tolist() == [False, False, True]
