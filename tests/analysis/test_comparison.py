import itertools
import math

import numpy as np
import pytest
from scipy import stats

from psa_tui import load_trials
from psa_tui.analysis.comparison import (
    cliffs_delta,
    compare_regimes,
    compare_sources,
    compare_with_control,
    hedges_g,
    mann_whitney,
    welch_interval,
)


def _samples(seed, levels=1000):
    drawn = np.random.default_rng(seed)
    return drawn.integers(0, levels, drawn.integers(2, 11)) / 1000, drawn.integers(
        0, levels, drawn.integers(2, 11)
    ) / 1000


def test_welch_intervals_are_scipys():
    for seed in range(20):
        a, b = _samples(seed)
        theirs = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
        assert welch_interval(a, b) == pytest.approx((theirs.low, theirs.high))


def test_intervals_without_spread_or_with_one_trial_are_not_made_up():
    flat = np.full(10, 0.1102)
    for a, b in ((flat, flat), (flat[:1], flat), (flat, np.array([0.5]))):
        assert all(map(math.isnan, welch_interval(a, b)))
    low, high = welch_interval(flat, np.array([0.1, 0.2, 0.3]))
    assert low < 0.1102 - 0.2 < high


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


def test_a_source_compared_with_itself_agrees_in_everything():
    trials = load_trials("published")
    cells = compare_sources(trials, trials)
    assert len(cells) == 588
    assert cells["within"].all()
    assert cells["difference"].eq(0).all()
    assert cells["p_holm"].eq(1).all()
    assert compare_regimes(trials, trials)["agree"].all()


def test_means_are_printed_as_in_the_summary():
    from psa_tui.analysis.summary import cell_statistics

    trials = load_trials("published")
    assert compare_sources(trials, trials)["mean_a_pct"].tolist() == cell_statistics(trials)["mean_pct"].tolist()


def test_holm_is_applied_over_all_cells_and_never_lowers_a_p():
    cells = compare_with_control(load_trials("published"))
    assert len(cells) == 294
    ordered = cells.sort_values("p")
    stepped = np.minimum(1, np.maximum.accumulate(ordered["p"] * np.arange(294, 0, -1)))
    assert ordered["p_holm"].to_numpy() == pytest.approx(stepped)
    best = cells[(cells["architecture"] == "1*2048") & (cells["mode"] == "output")].iloc[0]
    assert (best["cliffs_delta"], best["p"]) == (-1, pytest.approx(2 / math.comb(20, 10)))
    assert best["hedges_g"] < -3


def test_two_points_is_within_and_a_little_more_is_not(make_study):
    theirs = load_trials("published")
    ours = theirs.copy()
    lift = ours["architecture"].eq("1*8") & ours["mode"].eq("none")
    far = ours["architecture"].eq("1*4") & ours["mode"].eq("none")
    ours.loc[lift, "best_validation_accuracy"] += 0.02
    ours.loc[far, "best_validation_accuracy"] += 0.0201
    cells = compare_sources(ours, theirs).set_index(["architecture", "mode"])["within"]
    assert cells["1*8", "none"]
    assert not cells["1*4", "none"]
    assert (~cells.astype(bool)).sum() == 1


def test_one_trial_of_ours_compares_without_dividing_by_zero(make_study):
    ours = load_trials("local", results_dir=make_study(shapes=("8*8",), trials=1))
    cells = compare_sources(ours, load_trials("published"))
    both = cells[cells["within"].notna()]
    assert len(both) == 6
    assert both[["low", "high"]].isna().all(axis=None)
    assert both["p_holm"].notna().all()
    assert both["test_a"].notna().all()
    assert (cells["n_a"].eq(0) == cells["within"].isna()).all()
    within = compare_with_control(ours)
    assert within["hedges_g"].isna().all()
    assert within["cliffs_delta"].notna().all()


def test_empty_sources_give_empty_comparisons():
    empty = load_trials("published").iloc[:0]
    empty.attrs = {"dataset": "mnist"}
    assert compare_sources(empty, empty).empty
    assert compare_with_control(empty).empty
    assert compare_regimes(empty, empty).empty


def test_a_shape_without_all_modes_has_no_agreement(make_study):
    ours = load_trials("local", results_dir=make_study(shapes=("8*8",), modes=("none", "full")))
    row = compare_regimes(ours, load_trials("published")).iloc[0]
    assert (row["architecture"], row["agree"]) == ("8*8", None)
