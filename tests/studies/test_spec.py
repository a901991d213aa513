import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from psa_tui.errors import ConfigError
from psa_tui.method.hyperparameters import Hyperparameters
from psa_tui.method.variants import FIRST_STUDY, find_variant
from psa_tui.networks import NETWORKS
from psa_tui.studies.grids import parse_grid, parse_network
from psa_tui.studies.seeds import trial_seed
from psa_tui.studies.spec import StudySpec
from psa_tui.studies.study_file import format_study_file
from psa_tui.studies.study_parsing import parse_study_file

SPEC = StudySpec(
    name="some",
    networks=parse_grid("8*8,[4*4,2*8]"),
    variants=(*FIRST_STUDY, find_variant("output+strict")),
    trials=3,
    meta_loops=5,
    seed=9,
    dataset="mnist5k",
    dataset_fingerprint="f",
    hyperparameters=Hyperparameters(learning_rate=3e-3, batch_size=64),
)


def test_a_spec_survives_a_trip_through_json_in_the_keys_that_databases_have():
    values = json.loads(json.dumps(SPEC.as_settings()))
    assert StudySpec.from_settings(values) == SPEC
    assert values == {
        "name": "some",
        "shapes": ["8*8", "[4*4,2*8]"],
        "modes": ["none", "full", "hidden", "output", "output+strict"],
        "trials": 3,
        "meta_loops": 5,
        "seed": 9,
        "dataset": "mnist5k",
        "dataset_fingerprint": "f",
        "learning_rate": 3e-3,
        "batch_size": 64,
        "weight_decay": 1e-4,
        "dropout": 0.1,
        "quick": False,
    }


def test_a_hyperparameter_that_a_file_lacks_takes_its_default():
    values = SPEC.as_settings()
    del values["dropout"]
    assert StudySpec.from_settings(values) == SPEC


def test_a_mode_that_is_not_installed_is_named():
    with pytest.raises(ConfigError, match="study some has the mode 'every-third', which is not installed here"):
        StudySpec.from_settings({**SPEC.as_settings(), "modes": ["none", "every-third"]})


def test_differences_are_named_and_a_spec_differs_from_itself_in_nothing():
    assert SPEC.differences(replace(SPEC)) == []
    other = replace(SPEC, networks=parse_grid("8*8"), hyperparameters=Hyperparameters(batch_size=64))
    assert SPEC.differences(other) == ["shapes 8*8, [4*4,2*8], not 8*8", "learning rate 0.003, not 0.0001"]


@given(st.integers(0, 2**63 - 1), st.integers(1, 999), st.integers(1, 999), st.integers(1, 99))
def test_the_seed_of_an_l_by_w_trial_is_derived_from_depth_width_and_number(seed, depth, width, trial):
    sequence = np.random.SeedSequence(entropy=seed, spawn_key=(depth, width, trial))
    expected = int(sequence.generate_state(1, np.uint64)[0]) >> 1
    assert trial_seed(seed, parse_network(f"{depth}*{width}"), trial) == expected < 2**63


def test_every_trial_of_every_network_has_a_seed_of_its_own():
    networks = parse_grid("4*4,2*8,[4*4,2*8],[2*8,4*4],[4*4,2*8,1*4]")
    seeds = {trial_seed(0, network, trial) for network in networks for trial in range(1, 11)}
    assert len(seeds) == 50
    assert trial_seed(0, networks[2], 1) == trial_seed(0, parse_network("[4*4, 2*8]"), 1)


def test_a_study_of_ones_own_data_is_known_without_the_data_and_the_same_where_that_has_moved():
    network = NETWORKS.find("mlp").parse("8*8", (3, 4, 4), 5)
    own = replace(SPEC, networks=(network,), dataset="own.npz", dataset_path="/nowhere/own.npz")
    values = json.loads(json.dumps(own.as_settings()))
    found = StudySpec.from_settings(values)
    assert (found, found.data_source, found.parse("8*8")) == (own, "/nowhere/own.npz", network)
    assert own.differences(replace(own, dataset_path="/elsewhere/own.npz")) == []
    assert own.differences(replace(own, dataset="other.npz")) == ["dataset own.npz, not other.npz"]


def test_a_study_file_may_name_data_by_its_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savez("own.npz", x_train=np.arange(480, dtype=np.uint8).reshape(60, 2, 4), y_train=np.arange(60) % 3)
    text = 'grid = ["1*4"]\ndataset = ["./own.npz", "mnist5k"]\n'
    own, named = parse_study_file(f"{text}batch_size = 20\n", "x", "x").studies
    assert (own.name, own.dataset, own.dataset_path) == ("x.own.npz", "own.npz", str(tmp_path / "own.npz"))
    assert (own.networks[0].input_shape, named.dataset_path) == ((1, 2, 4), None)
    assert f'dataset = "{own.dataset_path}"' in list(format_study_file(own))
    with pytest.raises(ConfigError, match=r"at most the 40 training images of own\.npz, found 41"):
        parse_study_file(f"{text}batch_size = 41\n", "x", "x")
    with pytest.raises(ConfigError, match=r"other\.npz: there is no such file or folder"):
        parse_study_file('grid = ["1*4"]\ndataset = "./other.npz"\n', "x", "x")
    with pytest.raises(ConfigError, match=r"found 'own'"):
        parse_study_file('grid = ["1*4"]\ndataset = "own"\n', "x", "x")
