import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import f_oneway

from psa_tui.analysis.endpoints import accuracy
from psa_tui.analysis.importance import importance_table, importance_text
from psa_tui.analysis.sources import load_trials
from psa_tui.analysis.statistics.variance_explained import eta_squared


def test_eta_squared_is_what_an_analysis_of_variance_gives():
    draws = np.random.default_rng(1)
    groups = draws.integers(0, 4, 50)
    values = draws.normal(size=50) + 0.7 * groups
    found = eta_squared(values, groups.astype(str))
    f = f_oneway(*(values[groups == one] for one in range(4))).statistic
    assert found.levels == 4
    assert found.eta_squared == pytest.approx(3 * f / (3 * f + 46))


def test_by_chance_is_its_mean_over_permutations():
    draws = np.random.default_rng(2)
    groups, values = np.repeat([0, 1, 2], [2, 5, 9]), draws.normal(size=16) ** 3
    found = [eta_squared(draws.permutation(values), groups).eta_squared for _ in range(4000)]
    assert np.mean(found) == pytest.approx(eta_squared(values, groups).by_chance, abs=0.006)


def test_values_that_are_all_the_same_have_nothing_to_explain():
    assert np.isnan(eta_squared(np.ones(4), np.array([0, 0, 1, 1])).eta_squared)


def trials(**columns):
    known = {"architecture": "2*4", "depth": 2, "width": 4, "mode": "none", "seed": pd.NA, "test_accuracy": np.nan}
    return pd.DataFrame(known | columns).astype({"seed": "Int64"})


def test_only_axes_that_vary_and_whose_levels_have_several_trials_are_shown():
    found = trials(
        architecture=["2*4", "2*4", "1*4", "1*4"],
        depth=[2, 2, 1, 1],
        best_validation_accuracy=[0.9, 0.8, 0.2, 0.1],
        seed=[1, 2, 1, 2],
    )
    table = importance_table(found, accuracy(found))
    assert list(table["axis"]) == ["shape", "depth", "seed"]
    # Between: (0.35)^2 each of 4; within 0.05^2.
    assert list(table["eta_squared"]) == pytest.approx([0.98, 0.98, 0.02])
    alone = trials(best_validation_accuracy=[0.9, 0.8], seed=[1, 2])
    said = list(importance_text(importance_table(alone, accuracy(alone)), accuracy(alone)))
    assert said == ["no axis has two values with trials, and one of them two trials: nothing can be told apart"]


def test_in_the_published_study_the_shape_is_nearly_all():
    published = load_trials("published")
    table = importance_table(published, accuracy(published)).set_index("axis")["eta_squared"]
    values = published["best_validation_accuracy"]
    between = published.groupby("architecture")["best_validation_accuracy"].transform("mean")
    assert table["shape"] == pytest.approx(between.var() / values.var())
    assert table["shape and mode"] > table["shape"] > 0.9 > 0.01 > table["mode"]


def test_the_command_prints_a_table_or_json(command, capsys):
    arguments = ["results", "importance", "--source", "published", "--arch", "8*8,18*18"]
    command.main(arguments, standalone_mode=False)
    assert capsys.readouterr().out.splitlines()[3].split() == [
        "axis",
        "levels",
        "trials",
        "eta2",
        "%",
        "by",
        "chance",
        "%",
    ]
    command.main([*arguments, "--json"], standalone_mode=False)
    printed = json.loads(capsys.readouterr().out)
    assert [one["axis"] for one in printed["axes"]] == ["shape", "depth", "width", "mode", "shape and mode"]
