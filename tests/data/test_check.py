from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from psa_tui.data import DATASETS, Dataset, DatasetSpec, Split, digest, fingerprint, load_dataset
from psa_tui.errors import ConfigError, DataError


def split(count: int = 4, inputs: int = 12) -> Split:
    return Split(np.zeros((count, inputs), np.uint8), np.arange(count, dtype=np.int64) % 3)


def spec_that_loads(**changes) -> DatasetSpec:
    """A data set of 2 channels, 3 x 2 pixels and 3 classes, 4 images a split; ``changes`` are those of the loaded."""

    def load(dataset_dir, say):
        loaded = Dataset(
            spec=spec,
            train=split(),
            validation=split(),
            test=split(),
            origin="nowhere",
            split_rule="as made",
            fingerprint=fingerprint([digest(split())], "as made"),
            verified=True,
        )
        return replace(loaded, **changes)

    spec = DatasetSpec(
        name="tiny",
        input_shape=(2, 3, 2),
        classes=3,
        mean=(0.1, 0.2),
        std=(0.3, 0.4),
        train_count=4,
        validation_count=4,
        test_count=4,
        load=load,
    )
    return spec


def load(monkeypatch, spec, name="tiny"):
    monkeypatch.setitem(DATASETS._items, name, spec)
    return load_dataset(name, Path("nowhere"))


def test_a_data_set_that_keeps_its_word_is_loaded(monkeypatch):
    assert load(monkeypatch, spec_that_loads()).train.pixels.shape == (4, 12)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (
            {"train": split(inputs=6)},
            "its train split: pixels are uint8 [4, 6], expected uint8 [4, 12]",
        ),
        (
            {"validation": split(count=5)},
            "its validation split: pixels are uint8 [5, 12], expected uint8 [4, 12]",
        ),
        (
            {"test": split(count=0)},
            "its test split: pixels are uint8 [0, 12], expected uint8 [4, 12]",
        ),
        (
            {"train": Split(split().pixels.astype(np.float32), split().labels)},
            "its train split: pixels are float32 [4, 12], expected uint8 [4, 12]",
        ),
        (
            {"train": Split(split().pixels, split().labels.astype(np.int32))},
            "its train split: labels are int32 [4], expected int64 [4]",
        ),
        (
            {"train": Split(split().pixels, list(split().labels))},
            "its train split: labels are a list, expected a NumPy array",
        ),
        (
            {"train": Split(split().pixels, split().labels + 1)},
            "its train split: labels are from 1 to 3, expected 0 to 2",
        ),
        (
            {"test": Split(split().pixels, split().labels - 1)},
            "its test split: labels are from -1 to 1, expected 0 to 2",
        ),
        (
            {"test": Split(np.zeros((12, 4), np.uint8).T, split().labels)},
            "its test split: pixels are not C-contiguous, expected np.ascontiguousarray of them",
        ),
        (
            {"fingerprint": "mine"},
            "its fingerprint is 'mine', expected a SHA-256 as 64 hexadecimal digits",
        ),
        (
            {"spec": spec_that_loads()},
            "what its load function returned is no Dataset with the spec it is registered with",
        ),
    ],
)
def test_a_data_set_that_is_not_what_its_spec_says_is_refused_in_one_line(monkeypatch, changes, problem):
    with pytest.raises(DataError) as caught:
        load(monkeypatch, spec_that_loads(**changes))
    assert str(caught.value) == f"data set 'tiny': {problem}; mend the code that makes it"


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"name": "small"}, "its spec is named 'small', expected the name it is registered with"),
        ({"mean": (0.1,)}, "its mean is (0.1,), expected a tuple of one finite number for each of 2 channels"),
        (
            {"std": (0.1, float("nan"))},
            "its std is (0.1, nan), expected a tuple of one finite number for each of 2 channels",
        ),
        ({"std": (0.1, 0.0)}, "its std is (0.1, 0.0), expected numbers above 0"),
        ({"input_shape": (0, 3, 2)}, "its input shape is (0, 3, 2), expected (channels, rows, columns)"),
        ({"input_shape": ()}, "its input shape is (), expected (channels, rows, columns)"),
    ],
)
def test_a_spec_that_cannot_be_is_refused_in_one_line(monkeypatch, changes, problem):
    with pytest.raises(DataError) as caught:
        load(monkeypatch, replace(spec_that_loads(), **changes))
    assert str(caught.value) == f"data set 'tiny': {problem}; mend the code that makes it"


def test_an_empty_split_is_refused_even_where_the_spec_says_so(monkeypatch):
    def load_empty(dataset_dir, say):
        return replace(spec_that_loads().load(dataset_dir, say), spec=spec, test=split(count=0))

    spec = replace(spec_that_loads(), test_count=0, load=load_empty)
    with pytest.raises(DataError, match="its test split: the spec says 0 images, expected at least 1; mend"):
        load(monkeypatch, spec)


def test_what_is_no_data_set_is_refused_in_one_line(monkeypatch):
    with pytest.raises(DataError, match=r"^data set .tiny.: what its load function"):
        load(monkeypatch, replace(spec_that_loads(), load=lambda dataset_dir, say: None))


def test_a_name_that_is_none_is_refused_with_all_that_are():
    expected = "^no data set 'cifar', expected one of mnist, mnist5k, fashion-mnist, kmnist"
    with pytest.raises(ConfigError, match=expected):
        load_dataset("cifar", Path("nowhere"))
