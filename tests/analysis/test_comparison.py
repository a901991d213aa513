import math

import numpy as np
import pytest

from psa_tui import load_trials
from psa_tui.analysis.comparison import (
    compare_regimes,
    compare_sources,
    compare_with_control,
)

pytestmark = pytest.mark.slow


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
