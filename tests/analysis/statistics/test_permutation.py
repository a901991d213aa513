import numpy as np
import pytest
from scipy import stats

from psa_tui.analysis.statistics.permutation import exchange_labels, sign_flip

DARWIN = np.array([49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48])
"""Cross- and self-fertilised maize, eighths of an inch: Fisher, The Design of Experiments (1935), section 21."""


def test_darwins_maize_gives_fishers_count():
    assert sign_flip(DARWIN) == 2 * 863 / 2**15


def test_sign_flips_are_those_of_scipy_and_differences_of_nothing_change_nothing():
    values = np.array([0.3, -0.1, 0.25, 0.0, 0.12, -0.02, 0.4])
    expected = stats.permutation_test(
        (values,), np.sum, permutation_type="samples", n_resamples=np.inf, alternative="two-sided"
    )
    assert sign_flip(values) == pytest.approx(expected.pvalue)
    assert sign_flip(np.zeros(12)) == 1


def test_many_pairs_are_drawn_and_come_close_to_the_normal_distribution():
    values = np.random.default_rng(1).normal(0.15, 1, 160)
    z = values.sum() / np.sqrt((values**2).sum())
    drawn = sign_flip(values, 40_000)
    assert drawn == pytest.approx(2 * stats.norm.sf(abs(z)), abs=0.005)
    assert drawn == sign_flip(values, 40_000)


def test_sums_that_differ_in_their_last_bits_are_equal():
    values = np.array([0.1, 0.2, 0.3, 0.1, 0.2, 0.3])
    assert sign_flip(values) == 2 / 2**6


def test_labels_of_one_stratum_are_exchanged_as_by_scipy():
    a, b = np.array([3.0, 5.5, 4.1, 6.0]), np.array([2.0, 3.3, 1.0, 4.0])
    exact = stats.permutation_test((a, b), lambda x, y: x.mean() - y.mean(), n_resamples=np.inf).pvalue
    pooled, single = exchange_labels([(a, b)], 40_000)
    assert pooled == pytest.approx(exact, abs=0.003)
    assert single == pytest.approx([exact])


def test_where_labellings_are_too_many_they_are_drawn():
    drawn = np.random.default_rng(7)
    a, b = drawn.normal(0.5, 1, 10), drawn.normal(0, 1, 10)
    exact = stats.permutation_test(
        (a, b), lambda x, y, axis: x.mean(axis) - y.mean(axis), n_resamples=20_000, rng=1
    ).pvalue
    pooled, single = exchange_labels([(a, b)])
    assert single == pytest.approx([exact], abs=0.01)
    assert pooled == pytest.approx(exact, abs=0.01)


def test_labels_stay_in_their_stratum():
    # In neither stratum can labels matter; exchanged over both, they would.
    strata = [(np.full(5, 0.9), np.full(3, 0.9)), (np.full(3, 0.1), np.full(5, 0.1))]
    assert exchange_labels(strata) == (1, [1, 1])
    # Two strata of one against one: of four labellings one is as far on this side, one on the other.
    pairs = [(np.array([1.0]), np.array([0.0]))] * 2
    assert exchange_labels(pairs, 40_000)[0] == pytest.approx(0.5, abs=0.01)
