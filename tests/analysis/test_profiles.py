import numpy as np
import pytest

from psa_tui import load_trials
from psa_tui.analysis.chance import chance_table, seed_table
from psa_tui.analysis.contrasts import placebo_table
from psa_tui.analysis.endpoints import accuracy
from psa_tui.analysis.profiles import aggregate_table, profile_table, samples
from psa_tui.studies.seeds import crossed


@pytest.fixture(scope="module")
def published():
    return load_trials("published")


def test_aggregates_are_of_the_shapes_that_have_every_mode(published):
    squares = published[published["architecture"].isin([f"{side}*{side}" for side in range(4, 13)])]
    some = squares[~(squares["architecture"].eq("8*8") & squares["mode"].eq("full"))]
    found = samples(some, accuracy(some).values)
    table = aggregate_table(found).set_index("mode")
    assert (table["shapes"] == 8).all()
    rest = some[some["architecture"] != "8*8"]
    assert table["mean"].to_dict() == pytest.approx(rest.groupby("mode")["best_validation_accuracy"].mean().to_dict())
    for name in ("mean", "iqm", "improvement"):
        known = table.drop(index="none")
        assert (known[f"{name}_low"] <= known[name]).all()
        assert (known[name] <= known[f"{name}_high"]).all()
    assert np.isnan(table.loc["none", "improvement"])
    assert table.loc["output", "best_of_1"] == pytest.approx(table.loc["output", "mean"])
    assert (table["best_of_10"] > table["best_of_3"]).all()


def test_profiles_fall_from_all_trials_to_none(published):
    found = samples(published, accuracy(published).values)
    table = profile_table(found, np.array([0.0, 0.5, 1.0]))
    assert len(table) == 18
    assert table.groupby("level")["share"].agg(["min", "max"]).iloc[[0, 2]].to_numpy().tolist() == [[1, 1], [0, 0]]
    output = published[published["mode"] == "output"]["best_validation_accuracy"]
    share = table[(table["mode"] == "output") & (table["level"] == 0.5)].iloc[0]
    assert share["share"] == pytest.approx((output > 0.5).mean())
    assert share["low"] < share["share"] < share["high"]


def test_the_published_decay_is_an_a_a_that_misses_two_points_at_19_shapes(published):
    table = chance_table(placebo_table(published, accuracy(published))).set_index("contrast")
    decay = table.loc["decay - none"]
    assert (decay["shapes"], decay["beyond"]) == (98, 19)
    assert decay["share_low"] < 0.05 < decay["share_high"]
    assert decay["low"] < 0 < decay["high"]
    assert "output: odd - even" in table.index


def test_the_spread_is_split_where_seeds_are_separate(published):
    trials = published[published["architecture"].eq("8*8") & published["mode"].isin(["none", "full"])]
    trials = trials[trials["trial"] < 10]
    weights, order = ([crossed(trial)[place] for trial in trials["trial"]] for place in (0, 1))
    values = 0.1 * np.array(weights) + 0.02 * np.array(order)
    table = seed_table(trials, values)
    assert table["mode"].tolist() == ["none", "full"]
    assert (table["trials"] == 9).all()
    assert table["initialisation"].tolist() == pytest.approx([25 / 26] * 2)
    assert table["rest"].tolist() == pytest.approx([0, 0], abs=1e-9)
    assert table["std"].tolist() == pytest.approx([np.sqrt(0.01 + 0.0004)] * 2)
    assert seed_table(trials[trials["trial"] < 4], values[trials["trial"] < 4]).empty
