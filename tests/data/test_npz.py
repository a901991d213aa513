"""Data of one's own in a file of arrays: what is trained on, and every fault in one line."""

from __future__ import annotations

import io
import random
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from psa_tui.data import dataset_spec, load_dataset
from psa_tui.data.split import split_order
from psa_tui.errors import ConfigError, DataError

DRAWS = np.random.default_rng(5)
PIXELS = DRAWS.integers(0, 256, (60, 6, 5), np.uint8)
LABELS = np.arange(60) % 4


@pytest.fixture
def save(tmp_path):
    """Write arrays to a file and return what --dataset then stands for."""

    def save(compressed: bool = False, **arrays) -> str:
        path = tmp_path / "own.npz"
        (np.savez_compressed if compressed else np.savez)(path, **arrays)
        return str(path)

    return save


def members(path: Path, *parts: tuple[str, bytes], **how) -> str:
    """Write a zip file by hand."""
    with zipfile.ZipFile(path, "w", **how) as archive:
        for name, content in parts:
            archive.writestr(name, content)
    return str(path)


def npy(array: np.ndarray) -> bytes:
    made = io.BytesIO()
    np.lib.format.write_array(made, np.asanyarray(array), allow_pickle=True)
    return made.getvalue()


def header(shape: tuple[int, ...], dtype: str = "|u1") -> bytes:
    """The header of an array that is not there."""
    made = io.BytesIO()
    np.lib.format.write_array_header_1_0(made, {"descr": dtype, "fortran_order": False, "shape": shape})
    return made.getvalue()


def load(path: str):
    return load_dataset(path, Path("nowhere"))


def test_parts_that_are_given_are_taken_as_they_are_and_standardised_by_the_training_part(save):
    validation, test = PIXELS[:7], PIXELS[7:20]
    path = save(
        x_train=PIXELS, y_train=LABELS, x_val=validation, y_val=LABELS[:7], x_test=test, y_test=LABELS[7:20, None]
    )
    spec = dataset_spec(path)
    assert (spec.name, spec.input_shape, spec.classes, spec.floats) == ("own.npz", (1, 6, 5), 4, False)
    assert (spec.train_count, spec.validation_count, spec.test_count) == (60, 7, 13)
    found = load(path)
    assert np.array_equal(found.train.pixels, PIXELS.reshape(60, 30))
    assert np.array_equal(found.validation.pixels, validation.reshape(7, 30))
    assert np.array_equal(found.test.labels, LABELS[7:20])
    scaled = PIXELS.astype(np.float64) / 255
    assert found.spec.mean == pytest.approx((scaled.mean(),), rel=1e-14)
    assert found.spec.std == pytest.approx((scaled.std(),), rel=1e-14)
    assert found.split_rule == "60 train + 7 validation + 13 test"


def test_parts_that_are_missing_are_cut_from_the_training_part_by_the_fixed_seed(save):
    found = load(save(x_train=PIXELS, y_train=LABELS))
    order, flat = split_order(60), PIXELS.reshape(60, 30)
    assert np.array_equal(found.train.pixels, flat[order[:40]])
    assert np.array_equal(found.validation.pixels, flat[order[40:50]])
    assert np.array_equal(found.test.labels, LABELS[order[50:]])
    assert "validation and test of train's 60 (random_split, seed 1337)" in found.split_rule
    found = load(save(x_train=PIXELS, y_train=LABELS, x_test=PIXELS[:9], y_test=LABELS[:9]))
    assert np.array_equal(found.test.pixels, flat[:9])
    assert np.array_equal(found.validation.pixels, flat[order[50:]])


def test_the_fingerprint_is_of_the_contents_and_not_of_how_they_are_packed(save):
    plain = load(save(x_train=PIXELS, y_train=LABELS)).fingerprint
    assert (
        load(save(compressed=True, y_train=LABELS.astype(np.int8), x_train=np.asfortranarray(PIXELS))).fingerprint
        == plain
    )
    changed = PIXELS.copy()
    changed[59, 5, 4] ^= 1
    others = [
        {"x_train": changed, "y_train": LABELS},
        {"x_train": PIXELS, "y_train": np.roll(LABELS, 1)},
        {"x_train": PIXELS.reshape(60, 5, 6), "y_train": LABELS},
        {"x_train": PIXELS, "y_train": LABELS, "x_test": PIXELS[:9], "y_test": LABELS[:9]},
    ]
    prints = {load(save(**other)).fingerprint for other in others}
    assert len(prints | {plain}) == 5


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((60, 7), (7,)),
        ((60, 6, 5), (1, 6, 5)),
        ((60, 3, 6, 5), (3, 6, 5)),
        ((60, 2, 6, 5), (2, 6, 5)),
        ((60, 2, 4, 4), (2, 4, 4)),
        ((60, 6, 5, 3), (3, 6, 5)),
        ((60, 6, 5, 1), (1, 6, 5)),
        ((60, 3, 5, 3), (3, 5, 3)),
    ],
)
def test_an_array_of_any_shape_is_read_with_its_channels_first(save, shape, expected, order):
    pixels = np.asarray(np.random.default_rng(1).integers(0, 256, shape, np.uint8), order=order)
    found = load(save(x_train=pixels, y_train=LABELS, x_test=pixels, y_test=LABELS))
    assert found.spec.input_shape == expected
    first = pixels if expected == shape[1:] or len(shape) < 4 else pixels.transpose(0, 3, 1, 2)
    assert np.array_equal(found.test.pixels, first.reshape(60, -1))
    assert len(found.spec.mean) == (expected[0] if len(expected) == 3 else 1)
    assert bool(found.notices) == (shape == (60, 3, 5, 3))


@pytest.mark.parametrize("dtype", ["<f8", ">f4", "<f2"])
def test_floats_stay_floats_and_each_channel_has_its_own_scale(save, dtype):
    numbers = np.random.default_rng(2).normal([[[0]], [[100]]], [[[1]], [[5]]], (60, 2, 4, 4)).astype(dtype)
    path = save(x_train=numbers, y_train=LABELS)
    assert dataset_spec(path).floats
    found = load(path)
    rows = split_order(60)
    train = numbers[rows[:40]].astype(np.float64)
    mean, std = train.mean((0, 2, 3)), train.std((0, 2, 3))
    np.testing.assert_allclose(found.spec.mean, mean, rtol=1e-12)
    np.testing.assert_allclose(found.spec.std, std, rtol=1e-12)
    expected = (numbers[rows].astype(np.float64) - mean[:, None, None]) / std[:, None, None]
    seen = np.concatenate([split.pixels for split in (found.train, found.validation, found.test)])
    assert seen.dtype == np.float32
    np.testing.assert_allclose(seen, expected.reshape(60, -1), rtol=1e-6, atol=1e-6)


def test_a_channel_that_never_varies_becomes_zero(save):
    numbers = np.random.default_rng(2).normal(size=(60, 2, 4, 4))
    numbers[:, 1] = 7
    found = load(save(x_train=numbers, y_train=LABELS))
    assert (found.spec.mean[1], found.spec.std[1]) == (7, 1)
    assert not found.train.pixels[:, 16:].any()


def test_names_of_classes_are_taken_and_what_else_is_in_the_file_is_told(save):
    found = load(save(x_train=PIXELS, y_train=LABELS, class_names=np.array(["a", "bé", "c", "d"]), weights=np.ones(3)))
    assert found.spec.class_names == ("a", "bé", "c", "d")
    assert found.notices == ("not used of the file: weights",)


def nan(at: int) -> np.ndarray:
    numbers = PIXELS.astype(np.float32)
    numbers[at, 1, 1] = np.nan
    return numbers


GOOD = {"x_train": PIXELS, "y_train": LABELS}


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x_train": PIXELS}, "has no y_train"),
        ({}, "has no x_train"),
        (GOOD | {"x_test": PIXELS}, "has no y_test"),
        (GOOD | {"x_tset": PIXELS}, "has 'x_tset', expected .*; did you mean 'x_test'"),
        (GOOD | {"x_val": PIXELS, "x_validation": PIXELS}, "has x_val and x_validation, expected one of them"),
        (GOOD | {"y_train": LABELS[:59]}, r"y_train, int64 \[59\]: expected 60 whole numbers"),
        (GOOD | {"y_train": LABELS.astype(float)}, r"y_train, float64 \[60\]: expected 60 whole numbers"),
        (GOOD | {"y_train": LABELS + 1}, "labels are up to 4, and no image is of class 0"),
        (GOOD | {"y_train": LABELS * 2}, "labels are up to 6, and no image is of class 1"),
        (GOOD | {"y_train": LABELS - 1}, "label -1, expected classes that count from 0"),
        (GOOD | {"y_train": LABELS.astype(np.uint64) + 2**63}, "expected classes that count from 0"),
        (GOOD | {"y_train": LABELS * 0}, "all images are of one class"),
        (GOOD | {"y_train": np.where(np.arange(60) == 3, 3, LABELS % 3)}, "class 3 has no training image"),
        (GOOD | {"x_test": PIXELS, "y_test": LABELS + 1}, "y_test has labels from 1 to 4, expected 0 to 3"),
        (GOOD | {"x_test": PIXELS[:, :5], "y_test": LABELS}, r"\[60, 5, 5\]: expected images like those of x_train"),
        (GOOD | {"x_test": PIXELS / 255, "y_test": LABELS}, "float64 .*: expected images like those of x_train, uint8"),
        (GOOD | {"x_test": PIXELS[:0], "y_test": LABELS[:0]}, "is empty"),
        (GOOD | {"x_train": PIXELS.astype(int)}, r"x_train, int64 \[60, 6, 5\]: expected uint8"),
        (GOOD | {"x_train": PIXELS.astype(complex)}, "complex128 .*: expected uint8"),
        (GOOD | {"x_train": PIXELS[:, 0, 0]}, r"\[60\]: expected uint8"),
        (GOOD | {"x_train": nan(47)}, "x_train has NaN or infinity in 1 images, the first is image 47"),
        (GOOD | {"x_train": PIXELS * 0}, "all numbers of the training part are the same"),
        (GOOD | {"x_train": PIXELS * 1e305}, "too large to be standardised"),
        (
            GOOD | {"x_train": np.where(np.arange(60) == split_order(60)[-1], 1e300, 1 + PIXELS.T).T},
            "the test part has num",
        ),
        (GOOD | {"x_train": PIXELS.astype(object)}, "x_train has Python objects, which are never unpickled"),
        (GOOD | {"class_names": np.array(["a", "b"])}, "class_names has 2 names, and y_train 4 classes"),
        (GOOD | {"class_names": np.array(["a", "b", "\x1b", "d"])}, "class_names has a name that .* cannot be printed"),
        ({"x_train": PIXELS[:2], "y_train": LABELS[:2]}, "too few images"),
    ],
)
def test_each_fault_is_one_line_that_names_the_file(save, arrays, message):
    path = save(**arrays)
    with pytest.raises(DataError, match=message) as caught:
        load(path)
    assert str(caught.value).startswith(path)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([("x_train.npy", b"nonsense")], "x_train is no array of numbers"),
        ([("x_train.npy", header((60, 6, 5)) + b"123")], r"should have \d+ bytes, and has \d+"),
        ([("x_train.npy", header((-1, 5)))], "no array of numbers"),
        ([("x_train.npy", b"\x93NUMPY\x01\x00\x10\x00" + b"(" * 15 + b"\n")], "no array of numbers"),
        ([("x_train.npy", npy(PIXELS)), ("x_train.npy", npy(PIXELS))], "has x_train and x_train, expected one of them"),
        ([("readme.txt", b"hello")], "has 'readme.txt', expected arrays"),
        ([("x\x1b[31m.npy", npy(PIXELS))], "has 'x\ufffd"),
    ],
)
def test_a_zip_file_made_by_hand_is_refused_in_one_line(tmp_path, parts, message):
    path = tmp_path / "own.npz"
    with pytest.warns(UserWarning, match="Duplicate") if len(parts) > 1 else _nothing():
        members(path, *parts)
    with pytest.raises(DataError, match=message) as caught:
        load(str(path))
    assert str(caught.value).isprintable()


class _nothing:
    def __enter__(self):
        return None

    def __exit__(self, *_):
        return None


def test_a_bomb_is_refused_by_its_headers_before_it_is_decompressed(tmp_path, monkeypatch):
    """Ten gigabytes of zeros in a few hundred bytes: the sizes are written into the file, and nothing more is there."""
    path = tmp_path / "own.npz"
    members(
        path,
        ("x_train.npy", header((10_000_000, 1000))),
        ("y_train.npy", npy(LABELS)),
        compression=zipfile.ZIP_DEFLATED,
    )
    content = bytearray(path.read_bytes())
    size, said = len(header((10_000_000, 1000))), len(header((10_000_000, 1000))) + 3_000_000_000
    content = bytes(content).replace(struct.pack("<I", size), struct.pack("<I", said))
    path.write_bytes(content)
    monkeypatch.setattr("psa_tui.data.npz.available_memory_bytes", lambda: 8_000_000_000)
    with pytest.raises(DataError, match=r"should have 10000000\d+ bytes"):
        load(str(path))
    shape = (3_000_000, 1000)
    members(path, ("x_train.npy", header(shape)), ("y_train.npy", npy(np.arange(3_000_000) % 4)))
    size = len(header(shape))
    path.write_bytes(path.read_bytes().replace(struct.pack("<I", size), struct.pack("<I", size + 3_000_000_000)))
    with pytest.raises(DataError, match=r"need about 9.1 GB of memory, 8.0 GB are available"):
        load(str(path))


def test_a_file_with_any_byte_altered_or_cut_off_is_loaded_or_refused_in_one_line(save, tmp_path):
    whole = Path(save(compressed=True, **GOOD)).read_bytes()
    draws, refused = random.Random(3), 0
    path = tmp_path / "hurt.npz"
    for number in range(150):
        content = bytearray(whole)
        if number % 3:
            for _ in range(number % 4 + 1):
                content[draws.randrange(len(content))] = draws.randrange(256)
        else:
            del content[draws.randrange(len(content)) :]
        path.write_bytes(content)
        try:
            load(str(path))
        except DataError as error:
            assert str(error).isprintable()
            refused += 1
    assert refused > 100


def test_what_is_no_file_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"nothing.npz: there is no such file or folder"):
        load(str(tmp_path / "nothing.npz"))
    (tmp_path / "folder.npz").mkdir()
    with pytest.raises(DataError, match=r"folder.npz: cannot be read \(it is no file\)"):
        load(str(tmp_path / "folder.npz"))
