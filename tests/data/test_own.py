"""Which texts are paths of data of one's own, what such data is called, and when its headers are read again."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from psa_tui.data import DATASETS, dataset_spec, load_dataset
from psa_tui.data.own import is_own, own_name, own_path
from psa_tui.errors import ConfigError, DataError, UnknownNameError
from psa_tui.outside import is_plain_name
from psa_tui.settings import load_settings
from psa_tui.settings.parsers import dataset

PIXELS = np.random.default_rng(5).integers(0, 256, (60, 6, 5), np.uint8)


def save(path: Path, pixels: np.ndarray = PIXELS) -> str:
    np.savez(path, x_train=pixels, y_train=np.arange(len(pixels)) % 4)
    return str(path)


@pytest.mark.parametrize("text", ["a.npz", "a/", "./a", "a/b", "..", ".", "~/a", "/a", "a b.npz"])
def test_what_looks_like_a_path_is_one_and_absolute_from_then_on(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = dataset(text)
    assert found == os.path.abspath(os.path.expanduser(text))
    assert is_own(found)
    assert dataset(found) == found


@pytest.mark.parametrize("text", ["a", "mnst", "digits", "npz", "", "a.npy"])
def test_anything_else_is_a_name_though_a_folder_is_called_so(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x" / text).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "x")
    with pytest.raises(UnknownNameError, match=r"FILE\.npz, FOLDER/, found"):
        dataset(text)
    for name in ("auto", *DATASETS):
        assert dataset(name) == name
        assert not is_own(name)


def test_a_path_that_cannot_be_shown_is_refused():
    for text in ("./a\x1b.npz", "./a\n", "./a\u2028"):
        with pytest.raises(ConfigError, match="without control characters"):
            own_path(text)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/a/digits.npz", "digits.npz"),
        ("/a/mnist", "mnist.folder"),
        ("/a/my data [1].npz", "my-data-1.npz"),
        ("/a/.hidden", "hidden.folder"),
        ("/a/é\N{BLACK HEART SUIT}.npz", "data.npz"),
        ("/", "data.folder"),
        ("/a/" + "n" * 200, "n" * 48 + ".folder"),
    ],
)
def test_its_name_can_name_files_and_is_none_of_a_data_set(path, name):
    assert own_name(path) == name
    assert is_plain_name(name)
    assert name not in DATASETS


def test_a_setting_of_a_folder_may_name_data_and_a_batch_is_compared_with_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = save(tmp_path / "own.npz")
    (tmp_path / "psa.toml").write_text('dataset = "own.npz"\narch = "[1*4]"\n')
    settings = load_settings({})
    assert settings.get("dataset") == path
    assert settings.network().value.input_shape == (1, 6, 5)
    assert settings.run_config().trial.dataset == path
    with pytest.raises(
        ConfigError, match=r"--batch-size: expected at most the 40 training images of own\.npz, found 41"
    ):
        load_settings({"batch_size": "41"}).hyperparameters()


def test_headers_are_read_once_until_the_file_changes(tmp_path, monkeypatch):
    path = save(tmp_path / "own.npz")
    first = dataset_spec(path)
    assert dataset_spec(path) is first
    save(tmp_path / "own.npz", PIXELS[:50])
    assert dataset_spec(path).train_count == 34
    monkeypatch.setattr("psa_tui.data.load.own_spec", lambda path: first)
    with pytest.raises(DataError, match="has changed while it was read"):
        load_dataset(path, tmp_path)


def test_a_name_of_own_data_is_no_path(tmp_path, monkeypatch):
    """What a table or another's checkpoint calls so is not looked for in the current folder."""
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "own.npz")
    with pytest.raises(ConfigError, match=r"no data set .own\.npz"):
        load_dataset("own.npz", tmp_path)
