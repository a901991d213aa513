import itertools
import math

import numpy as np
import pytest
from scipy import stats

from psa_tui.analysis.statistics.two_samples import cliffs_delta, hedges_g, mann_whitney


def _samples(seed, levels=1000):
    drawn = np.random.default_rng(seed)
    return drawn.integers(0, levels, drawn.integers(2, 11)) / 1000, drawn.integers(
        0, levels, drawn.integers(2, 11)
    ) / 1000


def test_the_rank_test_is_scipys_exact_one_without_ties():
    for seed in range(20):
        drawn = np.random.default_rng(seed)
        values = drawn.permutation(20)
        a, b = values[:7], values[7:]
        theirs = stats.mannwhitneyu(a, b, method="exact").pvalue
        assert mann_whitney(a, b) == pytest.approx(theirs)


def test_the_rank_test_counts_every_arrangement_when_there_are_ties():
    for seed in range(8):
        a, b = (sample[:5] for sample in _samples(seed, levels=4))
        ranks = stats.rankdata(np.concatenate([a, b]))
        expected = len(a) * (len(ranks) + 1) / 2
        far = abs(ranks[: len(a)].sum() - expected) - 1e-9
        sums = [sum(chosen) for chosen in itertools.combinations(ranks, len(a))]
        assert mann_whitney(a, b) == pytest.approx(sum(abs(s - expected) >= far for s in sums) / len(sums))


def test_equal_trials_are_no_evidence_and_complete_separation_is_the_most_there_is():
    flat = np.full(10, 0.1102)
    assert mann_whitney(flat, flat) == 1
    assert mann_whitney(np.full(50, 0.1), np.full(50, 0.1)) == 1
    assert mann_whitney(flat, flat + 0.1) == pytest.approx(2 / math.comb(20, 10))
    assert mann_whitney(flat[:1], flat[:1] + 0.1) == 1


def test_many_trials_are_tested_by_the_normal_approximation():
    drawn = np.random.default_rng(1)
    a, b = drawn.random(50), drawn.random(50)
    assert mann_whitney(a, b) == pytest.approx(stats.mannwhitneyu(a, b, method="exact").pvalue, abs=0.01)


def test_effect_sizes_have_their_textbook_values():
    a, b = np.array([3.0, 4.0, 5.0]), np.array([1.0, 2.0, 3.0])
    assert cliffs_delta(a, b) == pytest.approx(8 / 9)
    assert cliffs_delta(b, a) == pytest.approx(-8 / 9)
    assert hedges_g(a, b) == pytest.approx(2 * (1 - 3 / 15))
    assert math.isnan(hedges_g(np.ones(3), np.ones(3)))
    assert math.isnan(hedges_g(a[:1], b))
