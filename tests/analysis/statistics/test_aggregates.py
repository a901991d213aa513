import itertools

import numpy as np
import pytest
from scipy import stats

from psa_tui.analysis.statistics.aggregates import (
    bootstrap_interval,
    expected_maximum,
    interquartile_mean,
    mean_interval,
    performance_profile,
    probability_of_improvement,
    resampled,
)

DRAWN = np.random.default_rng(3)
SAMPLE = [DRAWN.normal(place, 0.1, 10) for place in (0.2, 0.5, 0.9)]


def test_the_interquartile_mean_is_that_of_the_middle_half():
    assert interquartile_mean(np.array([9.0, 1, 2, 3, 4, 100, -50, 5])) == (2 + 3 + 4 + 5) / 4


def test_a_bootstrap_draws_each_shapes_trials_from_its_own():
    drawn = resampled(SAMPLE, 50)
    assert drawn.shape == (50, 27)
    for index, values in enumerate(SAMPLE):
        assert set(drawn[:, 9 * index : 9 * index + 9].ravel()) == set(values)


def test_the_interval_of_a_mean_is_that_of_scipys_bootstrap_made_as_wide_as_it_should_be():
    values = SAMPLE[0]
    theirs = stats.bootstrap((values,), np.mean, method="percentile", n_resamples=20_000, rng=1).confidence_interval
    ours = bootstrap_interval([values], lambda drawn: drawn.mean(axis=-1), repeats=20_000)
    wider = [values.mean() + (end - values.mean()) * np.sqrt(10 / 9) for end in theirs]
    assert ours == pytest.approx(wider, abs=0.003)


def test_the_interval_of_the_mean_reaches_as_far_as_95_percent_of_bootstraps_in_their_own_errors():
    skewed = [np.r_[np.zeros(8), 0.4, 0.9] + one / 100 for one in SAMPLE[:2]]
    low, high = mean_interval(skewed, repeats=20_000)
    found = np.mean(skewed)
    assert (low + high) / 2 == pytest.approx(found)
    drawn = np.random.default_rng(9)
    again = np.stack([drawn.choice(one, (20_000, 10)) for one in skewed])
    errors = np.sqrt((again.var(axis=2, ddof=1) / 10).sum(axis=0)) / 2
    reach = np.quantile(abs(again.mean(axis=(0, 2)) - found) / errors, 0.95)
    error = np.sqrt(sum(one.var(ddof=1) / 10 for one in skewed)) / 2
    assert high - found == pytest.approx(reach * error, rel=0.05)
    # Wider than Student's t, which misses too often where one trial in ten escapes.
    assert reach > 1.05 * stats.t.ppf(0.975, 9)


def test_a_mean_without_spread_or_of_one_trial_has_no_interval():
    assert np.isnan(mean_interval([np.full(10, 0.1)])).all()
    assert np.isnan(mean_interval([SAMPLE[0], np.array([0.5])])).all()
    assert np.isnan(mean_interval([np.r_[np.full(9, 0.1102), 0.1101]])).all()
    low, high = mean_interval([SAMPLE[0], np.full(10, 0.1)])
    assert low < (SAMPLE[0].mean() + 0.1) / 2 < high


def test_improvement_is_mann_whitneys_u():
    a, b = np.array([1, 2, 2, 5]), np.array([2, 0, 1])
    found, low, high = probability_of_improvement([(a, b)])
    assert found == stats.mannwhitneyu(a, b).statistic / 12
    assert 0 <= low < found < high <= 1
    pooled, *_ = probability_of_improvement([(a, b), (b, b)])
    assert pooled == pytest.approx((found + 0.5) / 2)


def test_the_interval_of_improvement_is_that_of_the_trials_drawn_anew():
    a, b = SAMPLE[1], SAMPLE[1] - 0.05
    drawn = [np.random.default_rng(seed).choice(one, (20_000, 9)) for seed, one in enumerate((a, b))]
    wins = np.mean([drawn[0][:, i] > drawn[1][:, j] for i in range(9) for j in range(9)], axis=0)
    expected = tuple(np.quantile(wins, (0.025, 0.975)))
    assert probability_of_improvement([(a, b)], repeats=20_000)[1:] == pytest.approx(expected, abs=0.02)


def test_a_profile_counts_what_lies_above_each_level():
    sample = [np.array([0.1, 0.2]), np.array([0.2, 0.9])]
    found, low, high = performance_profile(sample, np.array([0.0, 0.1, 0.2, 0.5, 0.9]))
    assert found.tolist() == [1, 0.75, 0.25, 0.25, 0]
    # The lowest is 1, and the highest 0, whatever is drawn; a half at 0.1 is the first shape drawn twice low.
    assert (low[0], high[0], high[4]) == (1, 1, 0)
    assert (low[1], high[1]) == (0.5, 1)


def test_the_expected_best_is_that_of_all_ways_to_draw():
    values = np.array([0.3, 0.9, 0.5, 0.5])
    for count in (1, 2, 3):
        expected = np.mean([max(drawn) for drawn in itertools.product(values, repeat=count)])
        assert expected_maximum(values, np.array([count]))[0] == pytest.approx(expected)
