import os
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from psa_tui import load_trials
from psa_tui.analysis.frames import ABLATIVE, BASELINES, PUBLISHED_MODES, completed_frame
from psa_tui.analysis.regimes import RULES, Regime, bootstrap, classify, explain, majority_class
from psa_tui.errors import ConfigError


def _shape(**modes):
    """A table of the one shape 8*8 with these percentages of each mode; three equal baselines unless said."""
    rows = [("8*8", mode, n, value / 100) for mode, values in modes.items() for n, value in enumerate(values, 1)]
    frame = pd.DataFrame(rows, columns=["architecture", "mode", "trial", "best_validation_accuracy"])
    return completed_frame(frame, source="made", study="up", dataset="mnist")


def _six(baseline, ablative):
    return dict.fromkeys(BASELINES, baseline) | dict.fromkeys(ABLATIVE, ablative)


def _decision(**modes):
    row = classify(_shape(**modes)).iloc[0]
    return row["regime"], row["rule"]


def test_the_published_trials_have_the_published_regimes():
    table = classify(load_trials("published"))
    assert Counter(table["regime"]) == {"untrainable": 46, "optimal": 24, "chaotic": 17, "beneficial": 11}
    assert table["missing"].eq("").all()


def test_known_shapes_are_what_the_study_says():
    regimes = classify(load_trials("published")).set_index("architecture")["regime"]
    assert regimes[["8*8", "10*10", "18*18"]].tolist() == ["chaotic"] * 3
    assert regimes[["115*115", "2048*1"]].tolist() == ["untrainable"] * 2


def test_each_rule_decides_where_it_alone_applies():
    assert _decision(**_six([11.02, 9.8], [11.02, 10.1])) == ("untrainable", "1a")
    assert _decision(**_six([11.06, 9.8], [11.02, 10.1])) == ("untrainable", "1b")
    assert _decision(**_six([98.0, 98.2], [98.1, 98.1])) == ("beneficial", "2a")
    spread = {"none": [98.0], "decay": [98.0], "dropout": [98.0], "full": [97.0], "hidden": [97.0], "output": [98.01]}
    assert _decision(**spread) == ("beneficial", "2b")
    assert _decision(**_six([98.0, 98.2], [97.0, 97.1])) == ("optimal", "3a")
    near = {"none": [90.0], "decay": [80.0], "dropout": [70.0], "full": [80], "hidden": [79], "output": [80]}
    assert _decision(**near) == ("optimal", "3b")
    assert _decision(**(_six([11.02], [11.02]) | {"output": [20.0, 11.0]})) == ("chaotic", "4a")
    assert _decision(**_six([50.0, 50.0], [50.0, 53.0])) == ("chaotic", "4b")
    wild = {"none": [90.0, 10.0], "decay": [45.0, 45.0], "dropout": [55.0, 55.0]}
    assert _decision(**wild, **{mode: [90.0, 10.3] for mode in ABLATIVE}) == ("chaotic", "4c")
    unlike = {"none": [50.0], "decay": [52.0], "dropout": [54.0], "full": [51.5], "hidden": [51.5], "output": [54.0]}
    assert _decision(**unlike) == ("unclassified", "-")


def test_the_smallest_lead_that_counts_is_a_hundredth_of_a_point():
    base = {"none": [98.0], "decay": [98.0], "dropout": [98.0], "full": [97.0], "hidden": [97.0]}
    assert _decision(**base, output=[98.01])[1] == "2b"
    assert _decision(**base, output=[98.0])[1] == "3a"


def test_a_mean_of_equal_accuracies_is_that_accuracy():
    assert _decision(**_six([11.02] * 10, [11.02] * 10)) == ("untrainable", "1a")
    assert _decision(**_six([98.1] * 7, [98.1] * 7)) == ("beneficial", "2a")


def test_a_missing_mode_is_named_instead_of_a_regime():
    row = classify(_shape(none=[98], full=[97], hidden=[97], output=[97])).iloc[0]
    assert (row["regime"], row["rule"], row["missing"]) == (None, None, "decay dropout")
    assert np.isnan(row["mu_b"])


def test_an_expected_shape_without_trials_has_no_regime(make_study):
    left_out = [("18*18", mode, trial) for mode in PUBLISHED_MODES for trial in (1, 2, 3)]
    table = classify(load_trials("local", results_dir=make_study(left_out=left_out)))
    assert table["missing"].tolist() == ["", " ".join(PUBLISHED_MODES)]
    assert table["regime"].tolist()[1] is None


def test_the_majority_class_of_a_known_data_set_is_its_real_one(make_study):
    from psa_tui.data import load_dataset, majority_class_accuracy

    def share(name, folder):
        return majority_class_accuracy(load_dataset(name, folder, lambda _: None).validation)

    trials = load_trials("published")
    assert majority_class(trials, None) == 0.1102
    assert majority_class(trials, 0.5) == 0.5
    if folder := os.environ.get("PSA_DATASET_DIR"):
        assert share("mnist", Path(folder)) == 0.1102
    trials.attrs["dataset"] = "mnist5k"
    assert majority_class(trials, None) == share("mnist5k", Path("none"))


def test_another_data_set_needs_its_majority_class(make_study):
    trials = load_trials("local", results_dir=make_study(dataset="kmnist"))
    with pytest.raises(ConfigError, match=r"kmnist.*--zero-r PERCENT"):
        classify(trials)
    assert set(classify(trials, zero_r=1.0)["regime"]) == {"untrainable"}


def test_bootstrap_shares_sum_to_one_and_repeat():
    trials = load_trials("published")
    some = trials[trials["architecture"].isin(["1*2048", "26*26", "115*115"])]
    some.attrs = {"dataset": "mnist"}
    table = bootstrap(some)
    assert table[list(map(str, Regime))].sum(axis=1).round(9).eq(1).all()
    assert table.equals(bootstrap(some))
    assert not table.equals(bootstrap(some, seed=1))
    found = table.set_index("architecture")
    assert found.loc["115*115", "untrainable"] == found.loc["115*115", "probability"] == 1
    assert not found.loc["115*115", "near_boundary"]
    assert found.loc["26*26", "near_boundary"]


def test_a_shape_has_the_same_probabilities_alone_as_among_others():
    trials = load_trials("published")
    alone = trials[trials["architecture"] == "19*19"]
    alone.attrs = {"dataset": "mnist"}
    among = bootstrap(trials).set_index("architecture").loc["19*19"]
    assert bootstrap(alone).iloc[0, 1:].tolist() == among.tolist()


def test_bootstrap_shares_are_the_chances_of_drawing_the_trials():
    # full draws 98 twice in a quarter of all cases; otherwise its mean pulls mu_A below mu_B - s.
    trials = _shape(**(_six([98.0, 98.0], [98.0, 98.0]) | {"full": [98.0, 90.0]}))
    row = bootstrap(trials, resamples=4000).iloc[0]
    assert abs(row["beneficial"] - 0.25) < 0.03
    assert row["optimal"] == row["probability"] == pytest.approx(1 - row["beneficial"])
    assert row["near_boundary"]


def test_one_trial_has_a_regime_but_no_probability():
    trials = _shape(**_six([98.0], [98.0]))
    row = bootstrap(trials).iloc[0]
    assert classify(trials).iloc[0]["regime"] == "beneficial"
    assert np.isnan(row["probability"])
    assert not row["near_boundary"]


def test_explaining_a_shape_gives_the_rule_and_its_numbers():
    lines = explain(load_trials("published"), "19*19")
    assert lines[0] == "19*19 (21,955 parameters), Z = 11.02 %"
    assert "decay    mean  17.242  std 20.882  max  79.87  n 10" in lines[2]
    assert lines[-2] == "  mu_B 13.364  s_B 2.743  s 2.743  mu_A 10.511"
    assert lines[-1] == "optimally sized: rule 3a, mu_A is below mu_B - s"
    with pytest.raises(ConfigError, match="has no trials of it"):
        explain(load_trials("published"), "7*9")


def test_every_rule_leads_somewhere():
    assert {rule.regime for rule in RULES} == set(Regime)
