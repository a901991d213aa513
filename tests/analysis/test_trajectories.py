import numpy as np
import pandas as pd
import pytest

from psa_tui import load_meta_loops
from psa_tui.analysis.trajectories import MEASURES, phases, trajectories
from psa_tui.errors import ConfigError


@pytest.fixture
def loops(make_study):
    return load_meta_loops("local", results_dir=make_study(shapes=("8*8",), modes=("none", "full"), trials=5))


def test_a_mean_is_taken_over_all_trials_at_each_loop_with_a_band(loops):
    for measure in MEASURES:
        curves = trajectories(loops, measure)
        assert len(curves) == 2 * 12
        assert set(curves["label"]) == {"mean of 5 trials"}
        for row in curves.itertuples():
            at = loops[(loops["mode"] == row.mode) & (loops["meta_loop"] == row.meta_loop)][measure]
            assert row.value == pytest.approx(at.mean(), nan_ok=True)
            assert row.low == pytest.approx(at.quantile(0.1), nan_ok=True)
            assert row.high == pytest.approx(at.quantile(0.9), nan_ok=True)
            assert row.n == at.notna().sum()


def test_a_named_trial_is_that_trial(loops):
    curve = trajectories(loops, "validation_accuracy", 3)
    assert set(curve["label"]) == {"trial 3"}
    mine = loops[(loops["trial"] == 3) & (loops["mode"] == "full")]["validation_accuracy"]
    assert curve[curve["mode"] == "full"]["value"].tolist() == mine.tolist()
    with pytest.raises(ConfigError, match="--trial 9: no such trial; there are 1 to 5"):
        trajectories(loops, "validation_accuracy", 9)


def test_the_best_is_one_whole_trial_and_says_so(loops):
    curve = trajectories(loops, "validation_accuracy", "best")
    for mode, cell in curve.groupby("mode"):
        (label,) = set(cell["label"])
        trial = int(label.split()[1].strip(","))
        assert label == f"trial {trial}, the best of 5"
        its = loops[(loops["mode"] == mode) & (loops["trial"] == trial)]
        assert cell["value"].tolist() == its["validation_accuracy"].tolist()
        assert its["lkg_accuracy"].max() == loops[loops["mode"] == mode]["lkg_accuracy"].max()
    every_loop = loops.groupby(["mode", "meta_loop"])["validation_accuracy"].max()
    assert curve["value"].tolist() != every_loop.tolist()


def test_gains_sum_to_what_the_lkg_gained(loops):
    for (_, _), trial in loops.groupby(["mode", "trial"]):
        gained = trial["lkg_accuracy"].iloc[-1] - trial["lkg_accuracy"].iloc[0]
        assert trial["lkg_gain"].sum() == pytest.approx(gained)
        assert np.isnan(trial["lkg_gain"].iloc[0])
        assert (trial["lkg_gain"].iloc[1:] >= 0).all()


def test_phases_cover_all_loops_once_whatever_their_number():
    for last in (1, 2, 7, 100, 137):
        stretches = phases(pd.DataFrame({"meta_loop": range(1, last + 1)}))
        assert [loop for first, end in stretches for loop in range(first, end + 1)] == list(range(1, last + 1))
    assert phases(pd.DataFrame({"meta_loop": []})) == []
