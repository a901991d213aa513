from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

import pytest

from psa_tui.data import load_dataset, majority_class_accuracy
from psa_tui.data.catalogue import IDX_FILES
from psa_tui.data.spec import DATASETS
from psa_tui.errors import DataError, RetryableError

# torchvision and urllib leave the socket of an answer that was an error to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

FILES = "train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte"


@pytest.fixture
def offline(mirror, monkeypatch) -> None:
    """No server answers: torchvision's mirrors are a port that nobody listens on."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/"
        for files in IDX_FILES.values():
            monkeypatch.setattr(f"torchvision.datasets.{files.folder}.mirrors", [url])
        yield


def test_every_data_set_that_can_be_chosen_is_known():
    assert DATASETS.names() == ("mnist", "mnist5k", "fashion-mnist", "kmnist", "cifar10")
    assert set(IDX_FILES) == {*DATASETS} - {"mnist5k", "cifar10"}


@pytest.mark.parametrize("name", ["mnist", "mnist5k"])
def test_the_majority_class_accuracy_of_a_spec_is_that_of_its_validation_images(name, real_mnist_dir):
    loaded = load_dataset(name, real_mnist_dir)
    assert loaded.spec is DATASETS.find(name)
    assert majority_class_accuracy(loaded.validation) == loaded.spec.majority_class_accuracy


@pytest.mark.slow
def test_the_checksums_are_those_torchvision_publishes():
    from torchvision import datasets

    for files in IDX_FILES.values():
        expected = getattr(datasets, files.folder).resources
        assert [(file.archive_name, file.archive_md5) for file in files.all] == expected


def test_auto_without_files_and_network_is_mnist5k_and_says_so(offline, cache_dir, tmp_path):
    loaded = load_dataset("auto", tmp_path)
    assert loaded.name == "mnist5k"
    refusal = f"<urlopen error [Errno {errno.ECONNREFUSED}] {os.strerror(errno.ECONNREFUSED)}>"
    assert loaded.notices == (
        "this is mnist5k, 5000 of MNIST's 70000 images, NOT the full set: its accuracies do not compare with "
        f"MNIST's. mnist is not in {tmp_path}/MNIST/raw and cannot be downloaded ({refusal}); repeat the "
        f"command when online, or put {FILES} there (--dataset-dir or PSA_DATASET_DIR names another folder); "
        "then psa clean and psa train --dataset mnist, which accepts nothing but the full set",
    )


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist", "kmnist"])
def test_a_data_set_that_was_asked_for_is_never_substituted(offline, tmp_path, name):
    with pytest.raises(RetryableError, match=f"^{name} is not in .* and cannot be downloaded"):
        load_dataset(name, tmp_path)


@pytest.mark.parametrize("present", [f"{FILES.split(', ')[0]}", "t10k-labels-idx1-ubyte.gz"])
def test_auto_never_switches_away_from_an_incomplete_data_set(offline, tmp_path, present):
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    (raw / present).touch()
    with pytest.raises(DataError, match="mnist is incomplete, missing"):
        load_dataset("auto", tmp_path)


def test_auto_never_switches_away_from_a_damaged_data_set(offline, tmp_path):
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in FILES.split(", "):
        (raw / name).write_bytes(b"damaged")
    with pytest.raises(DataError, match=r"ubyte: truncated \(7 bytes, expected 60008\); delete the folder"):
        load_dataset("auto", tmp_path)


@pytest.mark.parametrize("blocked", [Path("MNIST"), Path("MNIST/raw")])
def test_auto_never_switches_because_of_a_disk_error(offline, tmp_path, blocked):
    path = tmp_path / blocked
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("a file where a folder should be")
    with pytest.raises(DataError, match=r"raw: cannot be read \(Not a directory\); mend it"):
        load_dataset("auto", tmp_path)


def test_auto_never_switches_because_the_folder_cannot_be_made(offline, tmp_path):
    (tmp_path / "file").symlink_to(tmp_path / "nowhere" / "at all")
    with pytest.raises(DataError, match="mnist cannot be stored there"):
        load_dataset("auto", tmp_path / "file")
