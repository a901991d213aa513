"""Data of one's own on the command line: trained, stopped, moved, resumed, shown, and never by accident."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

from psa_tui.storage.checkpoint import read_checkpoint

pytestmark = pytest.mark.slow
FAST = ("--arch", "[2*8]", "--seed", "3", "--lr", "1e-2", "--batch-size", "50", "--threads", "1")


@pytest.fixture
def digits(psa, tmp_path) -> Path:
    """Scikit-learn's digits, 8 x 8, as floats."""
    package = importlib.util.find_spec("sklearn").origin
    table = np.loadtxt(Path(package).parent / "datasets" / "data" / "digits.csv.gz", delimiter=",")
    path = tmp_path / "data" / "digits.npz"
    path.parent.mkdir()
    names = ["zero", "[b]one", *map(str, range(2, 10))]
    pixels = table[:, :-1].reshape(-1, 8, 8).astype(np.float32)
    np.savez(path, x_train=pixels, y_train=table[:, -1].astype(int), class_names=names)
    return path


@pytest.fixture
def flowers(psa, tmp_path, monkeypatch) -> Path:
    """Colour images, 8 x 8, in three folders of classes."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    draws = np.random.default_rng(1)
    for label, name in enumerate(("daisy", "rose", "tulip")):
        folder = tmp_path / "flowers" / name
        folder.mkdir(parents=True)
        for number in range(30):
            pixels = draws.integers(0, 120, (8, 8, 3), np.uint8)
            pixels[..., label] += 100
            Image.fromarray(pixels).save(folder / f"{number}.png")
    return tmp_path / "flowers"


def lines_of(done):
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def weights(folder):
    (path,) = Path(folder).glob("*_lkg.safetensors")
    return {name: array.tobytes() for name, array in load_file(path).items()}, read_checkpoint(path).record


def test_a_file_is_trained_moved_resumed_and_seen_by_its_name(psa, digits):
    lines_of(
        psa("train", "--dataset", digits, *FAST, "--meta-loops", "6", "--model-dir", "whole", "--results-dir", "w")
    )
    done = psa("train", "--dataset", "data/digits.npz", *FAST, "--meta-loops", "3")
    assert "data digits.npz: 1,199 train, 299 validation, 299 test" in done.stdout
    assert done.stderr == (
        "psa: warning: --backend auto takes torch here, not numba: it trains on images of bytes (uint8) only, "
        "and these are floats\n"
    )
    moved = digits.parent / "elsewhere" / "digits.npz"
    moved.parent.mkdir()
    digits.rename(moved)
    missing = psa("resume", "--meta-loops", "3")
    assert missing.returncode == 2
    assert f"{digits}: there is no such file or folder" in missing.stderr
    again = psa("resume", "--meta-loops", "3", "--dataset", "data/elsewhere/digits.npz")
    assert "loop 6/6" in again.stdout
    (whole, _), (resumed, record) = weights("whole"), weights("models")
    assert whole == resumed
    assert (record.dataset, record.data_source, record.input_shape) == ("digits.npz", str(moved), (1, 8, 8))
    Path("sub").mkdir()
    from_below = ("--model-dir", "../models", "--results-dir", "../results")
    assert "loop 7/7" in psa("resume", "--meta-loops", "1", *from_below, cwd=Path("sub").absolute()).stdout
    for command in (("status",), ("results", "show", "latest")):
        shown = psa(*command).stdout
        assert "digits.npz" in shown
        assert str(digits.parent) not in shown
    # The units are known from the history alone.
    assert "of 16 dead" in psa("results", "show", "latest").stdout
    (probed,) = json.loads(psa("probe", "--kill", "1", "--draws", "2", "--json").stdout)["checkpoints"]
    assert probed["test_accuracy"] > 0.5


def test_another_file_of_the_same_name_is_refused_by_name(psa, digits):
    lines_of(psa("train", "--dataset", digits, *FAST, "--meta-loops", "1"))
    with np.load(digits) as arrays:
        changed = {name: arrays[name] for name in arrays.files}
    changed["x_train"][0, 0, 0] += 1
    np.savez(digits, **changed)
    for command in (("resume", "--meta-loops", "1"), ("train", "--dataset", digits, "--meta-loops", "1")):
        done = psa(*command)
        assert done.returncode == 1
        assert re.search(
            rf"{digits}: is not the digits.npz that models/\S+ was trained on \(fingerprint [0-9a-f]{{12}}, expected "
            r"[0-9a-f]{12}\); --dataset says where that is",
            done.stderr,
        ), done.stderr
    done = psa("resume", "--meta-loops", "1", "--dataset", "mnist5k")
    assert done.returncode == 2
    assert "--dataset mnist5k: the run was trained on digits.npz" in done.stderr


def test_a_name_is_never_taken_for_a_folder_or_a_file_nor_auto_for_data_of_ones_own(psa, digits, flowers):
    for text in ("flowers", "digits", "data"):
        done = psa("dataset", "--dataset", text)
        assert done.returncode == 2
        assert (
            f"expected one of auto, mnist, mnist5k, fashion-mnist, kmnist, cifar10, FILE.npz, FOLDER/, found '{text}'"
            in (done.stderr)
        )
    Path("mnist5k").mkdir()
    assert "mnist5k, verified" in psa("dataset", "--dataset", "mnist5k").stdout
    Path("bad\x1bname").mkdir()
    done = psa("dataset", "--dataset", "./bad\x1bname")
    assert done.returncode == 2
    assert "expected a path without control characters" in done.stderr
    assert "\x1b" not in done.stderr


DIGITS = """\
data set     digits.npz
from         {path}
fingerprint  {fingerprint}
split        1199 train + 299 validation + 299 test; validation and test of
             train's 1797 (random_split, seed 1337)
images       float32, 1 x 8 x 8
pixels       (x - {mean}) / {std}
"""


def test_a_file_is_shown_within_80_columns_with_the_names_of_its_classes(psa, digits, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    content = json.loads(psa("dataset", "--dataset", digits, "--json").stdout)
    assert content["class_names"] == ["zero", "[b]one", *map(str, range(2, 10))]
    assert content["splits"]["validation"]["images"] == 299
    shown = psa("dataset", "--dataset", digits).stdout
    expected = DIGITS.format(
        path=digits, fingerprint=content["fingerprint"][:16], mean=f"{content['mean']:.4f}", std=f"{content['std']:.4f}"
    )
    assert shown.startswith(expected)
    assert "[b]one" in shown
    assert all(len(line) <= 80 for line in shown.splitlines() if str(digits) not in line)


def test_a_folder_of_colour_images_is_trained_by_name_of_its_kind(psa, flowers):
    done = psa("train", "--dataset", "flowers/", *FAST, "--mode", "output", "--meta-loops", "4")
    assert done.stderr == ""
    assert "data flowers.folder: 60 train, 15 validation, 15 test" in done.stdout
    _, record = weights("models")
    assert (record.backend, record.data_source) == ("torch", str(flowers))
    assert record.progress.best_correct > 10
    content = json.loads(psa("dataset", "--dataset", "./flowers", "--json").stdout)
    assert content["class_names"] == ["daisy", "rose", "tulip"]
    assert len(content["mean"]) == 3


@pytest.mark.campaign
def test_a_study_of_ones_own_data_is_begun_moved_and_gone_on_with(psa, digits):
    Path("own.toml").write_text(
        'name = "own"\ngrid = ["1*4"]\nvariants = ["none"]\ntrials = 1\nmeta_loops = 2\ndataset = "data/digits.npz"\n'
    )
    assert "complete" in psa("study", "run", "own.toml", "--workers", "1", "--plain").stdout
    digits.rename("digits.npz")
    Path("own.toml").write_text(Path("own.toml").read_text().replace("data/digits.npz", "./digits.npz"))
    done = psa("study", "run", "own.toml", "--workers", "1", "--plain", "--trials", "2")
    assert "2 of 2 trials complete" in done.stdout, done.stderr
    # What is shown needs no data.
    Path("digits.npz").rename("gone.npz")
    assert "digits.npz, not full MNIST" in psa("results", "curves", "--study", "own").stdout
    done = psa("study", "run", "own", "--on", "ray", "--address", "127.0.0.1:1")
    assert done.returncode == 2
    assert "digits.npz" in done.stderr
