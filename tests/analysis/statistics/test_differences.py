import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.weightstats import ttost_ind, ttost_paired

from psa_tui.analysis.statistics.differences import independent_difference, paired_difference

DRAWN = np.random.default_rng(2)
A, B = DRAWN.normal(0.6, 0.1, 12), DRAWN.normal(0.5, 0.3, 9)


def test_one_stratum_is_welch_and_the_paired_t_test():
    welch = stats.ttest_ind(A, B, equal_var=False)
    assert independent_difference([(A, B)]).interval() == pytest.approx(tuple(welch.confidence_interval()))
    paired = stats.ttest_rel(A[:9], B)
    assert paired_difference([A[:9] - B]).interval(0.9) == pytest.approx(tuple(paired.confidence_interval(0.9)))


def test_equivalence_is_the_two_one_sided_tests_of_statsmodels():
    ours = independent_difference([(A, B)]).equivalence(0.25)
    assert ours == pytest.approx(ttost_ind(A, B, -0.25, 0.25, usevar="unequal")[0])
    ours = paired_difference([A[:9] - B]).equivalence(0.25)
    assert ours == pytest.approx(ttost_paired(A[:9], B, -0.25, 0.25)[0])


def test_strata_of_one_size_and_spread_pool_as_a_blocked_design():
    # Four copies: the mean stays, its error is halved, the degrees of freedom are those of all four.
    one, four = paired_difference([A]), paired_difference([A] * 4)
    assert four.value == pytest.approx(one.value)
    assert (four.error, four.freedom) == pytest.approx((one.error / 2, 4 * one.freedom))


def test_what_cannot_be_known_is_nan():
    alone = paired_difference([A, np.array([0.2])])
    assert alone.value == pytest.approx((A.mean() + 0.2) / 2)
    assert np.isnan(alone.interval()).all()
    flat = independent_difference([(np.full(10, 0.1102), np.full(10, 0.1102))])
    assert flat.value == 0
    assert np.isnan([*flat.interval(), flat.equivalence(0.02)]).all()
