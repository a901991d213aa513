import subprocess
import sys

import pandas as pd
import pytest

import psa_tui
from psa_tui.analysis.frames import LOOP_COLUMNS, TRIAL_COLUMNS
from psa_tui.errors import ConfigError, DataError
from psa_tui.method.ablation import AblatedUnit
from psa_tui.networks import NETWORKS


def test_importing_the_package_loads_no_pandas():
    code = "import psa_tui, psa_tui.cli, sys; print('pandas' in sys.modules, 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_an_unknown_public_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="load_everything"):
        _ = psa_tui.load_everything


def test_the_published_trials_are_exact_fractions_of_ten_thousand_images():
    trials = psa_tui.load_trials("published")
    assert tuple(trials.columns) == TRIAL_COLUMNS
    assert len(trials) == 5880
    counts = trials["best_validation_accuracy"] * 10_000
    assert (trials["best_validation_accuracy"] == counts.round() / 10_000).all()
    first = trials.iloc[0]
    assert (first["architecture"], first["mode"], first["trial"]) == ("1*2048", "none", 1)
    assert (first["depth"], first["width"], first["parameters"]) == (1, 2048, 1_628_170)
    assert first["best_validation_accuracy"] == 0.9822
    assert trials["test_accuracy"].isna().all()
    assert trials["seed"].isna().all()


def test_published_parameters_are_those_of_the_architectures():
    trials = psa_tui.load_trials("published").drop_duplicates("architecture")
    assert len(trials) == 98
    for row in trials.itertuples():
        network = NETWORKS.find("mlp").parse(row.architecture, (1, 28, 28), 10)
        assert (row.depth, row.width, row.parameters) == (network.depth, network.width, network.parameters)


def test_the_published_source_has_no_meta_loops_and_says_what_to_do():
    with pytest.raises(DataError, match=r"no meta-loops; psa reproduce"):
        psa_tui.load_meta_loops("published")


def test_a_local_study_gives_its_complete_trials_in_the_order_it_planned(make_study):
    folder = make_study(shapes=("18*18", "8*8"))
    trials = psa_tui.load_trials("local", results_dir=folder)
    assert list(dict.fromkeys(trials["architecture"])) == ["18*18", "8*8"]
    assert list(dict.fromkeys(trials["mode"])) == ["none", "decay", "dropout", "full", "hidden", "output"]
    assert list(trials["trial"][:4]) == [1, 2, 3, 1]
    assert trials.attrs["expected"] == {
        "architectures": ["18*18", "8*8"],
        "modes": ["none", "decay", "dropout", "full", "hidden", "output"],
        "trials": 3,
    }
    assert not trials.attrs["quick"]


def test_a_seed_keeps_all_its_bits_beside_a_missing_one(make_study):
    from psa_tui.storage.study_rows import TrialRow
    from psa_tui.storage.study_store import open_store

    folder = make_study(shapes=("8*8",), modes=("none",), trials=1)
    with open_store(folder) as store:
        store.put("reproduction", [TrialRow(architecture="8*8", mode="full", trial=1, parameters=1, bounty=0.5)])
    trials = psa_tui.load_trials("local", results_dir=folder)
    assert trials["seed"].iloc[0] == 2**62 + 1
    assert trials["seed"].isna().tolist() == [False, True]


def test_meta_loops_follow_the_lkg(make_study):
    from psa_tui.storage.study_store import open_store

    folder = make_study(shapes=("8*8",), modes=("none", "full"), trials=2)
    with open_store(folder) as store:
        raw = store.loops("reproduction")
    loops = psa_tui.load_meta_loops("local", results_dir=folder)
    assert tuple(loops.columns) == LOOP_COLUMNS
    assert len(loops) == len(raw) == 48
    for cell, group in loops.groupby(["mode", "trial"]):
        best = None
        for row in group.itertuples():
            gain = 0.0
            if best is None or row.validation_accuracy > best:
                gain = float("nan") if best is None else row.validation_accuracy - best
                best = row.validation_accuracy
                assert row.verdict == "promoted", cell
            assert row.lkg_accuracy == best
            assert row.lkg_gain == pytest.approx(gain, nan_ok=True)
    assert loops.loc[loops["mode"] == "none", "ablated_layer"].isna().all()
    assert (loops["train_accuracy"] == loops["validation_accuracy"] / 2).all()
    counts = (500 * loops["validation_accuracy"]).round()
    assert (loops["lkg_dead"] == counts % 5).all()
    assert (loops["lkg_inactive"] == counts % 7).all()
    trials = psa_tui.load_trials("local", results_dir=folder)
    best = (500 * trials["best_validation_accuracy"]).round()
    assert (trials["lkg_dead"] == best % 5).all()
    assert (trials["lkg_inactive"] == best % 7).all()


def test_what_no_loop_says_of_its_units_is_missing_and_not_zero(tmp_path):
    dead, live = (AblatedUnit(layer=0, unit=n, incoming=784, outgoing=8, dead=n == 1) for n in (1, 2))
    corrects = ((dead, live), 10, "promoted"), ((live,), 20, "promoted"), ((), 30, "promoted")
    _store_loops(tmp_path, *corrects, lkg_dead=1)
    loops = psa_tui.load_meta_loops("local", results_dir=tmp_path)
    assert loops["ablated_dead_units"].tolist() == [1, 0, 0]
    assert loops["lkg_dead"].tolist() == [1, 1, 1]
    assert loops["lkg_inactive"].isna().all()
    _store_loops(tmp_path, *corrects)
    loops = psa_tui.load_meta_loops("local", results_dir=tmp_path)
    assert loops[["ablated_dead_units", "lkg_dead", "lkg_inactive", "train_accuracy"]].isna().all(axis=None)


def _store_loops(folder, *loops, **values):
    """Store a complete trial of 8*8 with (ablated units, correct images, verdict) of each loop."""
    from psa_tui.storage.meta_loops import MetaLoopRow
    from psa_tui.storage.study_rows import TrialLoop, TrialRow
    from psa_tui.storage.study_store import open_store

    rows = [
        MetaLoopRow(
            meta_loop=index,
            mode="three",
            ablations=units,
            train_loss=0.5,
            validation_correct=correct,
            validation_count=100,
            finite=True,
            verdict=verdict,
            reason=f"reason {index}",
            seconds=1.0,
            **values,
        )
        for index, (units, correct, verdict) in enumerate(loops, start=1)
    ]
    best = max(correct for _, correct, _ in loops) / 100
    trial = TrialRow(architecture="8*8", mode="three", trial=1, parameters=6874, meta_loop=len(rows), bounty=best)
    with open_store(folder) as store:
        store.enter("further", "local", {"shapes": ["8*8"], "modes": ["three"]}, False, 7, len(rows), 1)
        store.put("further", [trial], [TrialLoop("8*8", 1, row) for row in rows])


def test_a_loop_says_how_many_units_it_ablated_and_which_if_it_was_one(tmp_path):
    units = tuple(AblatedUnit(layer=2, unit=n, incoming=8, outgoing=10, effect="noise") for n in (4, 5, 6))
    _store_loops(
        tmp_path, ((), 10, "promoted"), (units[:1], 20, "promoted"), (units, 30, "promoted"), (units[:1], 5, "promoted")
    )
    loops = psa_tui.load_meta_loops("local", results_dir=tmp_path)
    assert loops["ablated_units"].tolist() == [0, 1, 3, 1]
    assert loops["ablated_layer"].fillna(-1).tolist() == [-1, 2, -1, 2]
    assert loops["ablated_neuron"].fillna(-1).tolist() == [-1, 4, -1, 4]
    assert loops["reason"].tolist() == ["reason 1", "reason 2", "reason 3", "reason 4"]
    assert loops.dtypes[["ablated_layer", "ablated_neuron", "ablated_units"]].astype(str).tolist() == ["Int64"] * 3


def test_the_lkg_falls_where_a_rule_promotes_a_worse_candidate_and_the_bounty_does_not(tmp_path):
    _store_loops(tmp_path, ((), 5, "rolled_back"), ((), 60, "promoted"), ((), 50, "promoted"), ((), 55, "rolled_back"))
    loops = psa_tui.load_meta_loops("local", results_dir=tmp_path)
    assert loops["lkg_accuracy"].fillna(-1).tolist() == [-1, 0.6, 0.5, 0.5]
    assert loops["lkg_gain"].fillna(9).round(9).tolist() == [9, 9, -0.1, 0]
    assert psa_tui.load_trials("local", results_dir=tmp_path)["best_validation_accuracy"].tolist() == [0.6]


def test_failed_and_missing_trials_are_left_out_and_remembered(make_study):
    folder = make_study(failed=[("8*8", "full", 2)], left_out=[("8*8", "none", 1)])
    trials = psa_tui.load_trials("local", results_dir=folder)
    assert len(trials) == 2 * 6 * 3 - 2
    assert [(row["mode"], row["state"], row["reason"]) for row in trials.attrs["unfinished"]] == [
        ("full", "failed", "out of memory")
    ]
    loops = psa_tui.load_meta_loops("local", results_dir=folder)
    cell = loops[(loops["architecture"] == "8*8") & (loops["mode"] == "full")]
    assert set(cell["trial"]) == {1, 3}


def test_no_database_is_an_error_with_a_remedy(tmp_path):
    with pytest.raises(ConfigError, match="no local study there; psa study run or psa reproduce run makes one"):
        psa_tui.load_trials("local", results_dir=tmp_path)
    with pytest.raises(ConfigError, match="no fetched study there; psa results fetch makes one"):
        psa_tui.load_trials("fetched", results_dir=tmp_path)


def test_the_default_study_is_the_only_one_then_the_usual_one(make_study):
    folder = make_study("mine", trials=1)
    assert psa_tui.load_trials("local", results_dir=folder).attrs["study"] == "mine"
    make_study("other", trials=1)
    with pytest.raises(ConfigError, match="has mine, other; name one with --study"):
        psa_tui.load_trials("local", results_dir=folder)
    make_study("reproduction", trials=1)
    assert psa_tui.load_trials("local", results_dir=folder).attrs["study"] == "reproduction"
    with pytest.raises(ConfigError, match="--study nope: no such study"):
        psa_tui.load_trials("local", "nope", results_dir=folder)


def test_local_and_fetched_studies_are_kept_apart(make_study):
    folder = make_study("mine", trials=1)
    make_study("sagemaker", source="fetched", trials=2)
    assert len(psa_tui.load_trials("local", results_dir=folder)) == 12
    assert len(psa_tui.load_trials("fetched", results_dir=folder)) == 24


def test_a_database_file_is_a_source_under_any_name(make_study, tmp_path):
    folder = make_study("mine", trials=1)
    kept = (folder / "history.sqlite").rename(tmp_path / "kept.sqlite")
    trials = psa_tui.load_trials(kept)
    assert (trials.attrs["source"], trials.attrs["study"], len(trials)) == ("local", "mine", 12)
    with pytest.raises(ConfigError, match="there is no such file"):
        psa_tui.load_trials(tmp_path / "absent.sqlite")


def test_an_unknown_source_says_which_there_are():
    with pytest.raises(ConfigError, match=r"expected local, fetched, published or a \.csv, \.parquet or \.sqlite file"):
        psa_tui.load_trials("moon")


def test_an_empty_study_is_an_empty_table_with_its_plan(make_study):
    left_out = [(shape, mode, 1) for shape in ("8*8",) for mode in ("none", "full")]
    folder = make_study(shapes=("8*8",), modes=("none", "full"), trials=1, left_out=left_out)
    trials = psa_tui.load_trials("local", results_dir=folder)
    assert tuple(trials.columns) == TRIAL_COLUMNS
    assert trials.empty
    assert trials.attrs["expected"]["trials"] == 1


def test_attributes_survive_a_parquet_file(make_study, tmp_path):
    trials = psa_tui.load_trials("local", results_dir=make_study())
    trials.to_parquet(tmp_path / "trials.parquet")
    assert pd.read_parquet(tmp_path / "trials.parquet").attrs["study"] == "reproduction"
