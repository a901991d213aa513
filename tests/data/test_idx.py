from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch.utils.data import TensorDataset, random_split

from psa_tui.data import load_dataset, majority_class_accuracy
from psa_tui.data.idx import read_idx
from psa_tui.data.split import split_order
from psa_tui.errors import DataError

FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def test_the_splits_are_those_of_random_split(make_dataset, tmp_path):
    small = make_dataset()
    loaded = read_idx(small.spec, small.idx, small.write(tmp_path))

    train_images, train_labels, test_images, test_labels = map(torch.from_numpy, small.arrays)
    expected = random_split(
        TensorDataset(train_images.flatten(1), train_labels), (40, 10), torch.Generator().manual_seed(1337)
    )
    for found, (pixels, labels) in (
        (loaded.train, expected[0][:]),
        (loaded.validation, expected[1][:]),
        (loaded.test, (test_images.flatten(1), test_labels)),
    ):
        assert (found.pixels.dtype, found.labels.dtype) == (np.uint8, np.int64)
        assert found.pixels.flags["C_CONTIGUOUS"]
        assert found.pixels.flags["WRITEABLE"]
        np.testing.assert_array_equal(found.pixels, pixels.numpy())
        np.testing.assert_array_equal(found.labels, labels.numpy())


@pytest.mark.parametrize("count", [0, 1, 2, 60_000])
def test_the_order_of_a_split_is_that_of_pytorch_without_pytorch(count):
    expected = torch.randperm(count, generator=torch.Generator().manual_seed(1337))
    found = split_order(count)
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, expected.numpy())


def test_a_data_set_says_what_it_is(make_dataset, tmp_path):
    small = make_dataset(published_sha256=True)
    raw = small.write(tmp_path)
    loaded = read_idx(small.spec, small.idx, raw)

    assert (loaded.name, loaded.spec, loaded.origin) == ("small", small.spec, str(raw))
    assert loaded.split_rule == "40 train + 10 validation of 50 (random_split, seed 1337)"
    assert loaded.verified
    assert loaded.notices == ()


def test_the_fingerprint_changes_with_the_data_and_with_the_split_only(make_dataset, tmp_path):
    small, other = make_dataset(), make_dataset(seed=1)
    raw = small.write(tmp_path / "a")
    prints = {
        read_idx(small.spec, small.idx, raw).fingerprint,
        read_idx(small.spec, small.idx, small.write(tmp_path / "b", archives=True)).fingerprint,
        read_idx(small.spec, small.idx, small.write(tmp_path / "c", files=False, archives=True)).fingerprint,
    }
    assert len(prints) == 1
    prints.add(read_idx(replace(small.spec, validation_count=11), small.idx, raw).fingerprint)
    prints.add(read_idx(other.spec, other.idx, other.write(tmp_path / "d")).fingerprint)
    for name in FILES:
        content = bytearray(small.files[name])
        content[-1] ^= 1
        (raw / name).write_bytes(content)
        prints.add(read_idx(small.spec, small.idx, raw).fingerprint)
        (raw / name).write_bytes(small.files[name])
    assert len(prints) == 7


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(make_dataset, tmp_path, name):
    small = make_dataset()
    raw = small.write(tmp_path)
    (raw / name).unlink()
    with pytest.raises(DataError) as caught:
        read_idx(small.spec, small.idx, raw)
    assert str(caught.value) == (
        f"{raw}: small is incomplete, missing {name}; add what is missing, "
        f"or delete the folder {raw} and psa downloads it again"
    )


@pytest.mark.parametrize("name", FILES)
def test_a_truncated_file_is_named(make_dataset, tmp_path, name):
    small = make_dataset(published_sha256=True)
    raw = small.write(tmp_path)
    whole = small.files[name]
    (raw / name).write_bytes(whole[:-1])
    with pytest.raises(DataError) as caught:
        read_idx(small.spec, small.idx, raw)
    assert str(caught.value) == (
        f"{raw / name}: truncated ({len(whole) - 1} bytes, expected {len(whole)}); "
        f"delete the folder {raw} and psa downloads it again"
    )


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_grew_is_named(make_dataset, tmp_path, name):
    small = make_dataset()
    raw = small.write(tmp_path)
    (raw / name).write_bytes(small.files[name] + b"\0")
    with pytest.raises(DataError, match=f"{name}: altered .more than the expected {len(small.files[name])} bytes"):
        read_idx(small.spec, small.idx, raw)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(data=st.data(), name=st.sampled_from(FILES), change=st.integers(1, 255))
def test_no_byte_of_a_file_with_a_published_checksum_can_change_unnoticed(
    make_dataset, tmp_path_factory, data, name, change
):
    small = make_dataset(published_sha256=True)
    raw = small.write(tmp_path_factory.mktemp("altered"))
    content = bytearray(small.files[name])
    content[data.draw(st.integers(0, len(content) - 1))] ^= change
    (raw / name).write_bytes(content)
    with pytest.raises(DataError, match=f"{name}: altered .*; delete the folder"):
        read_idx(small.spec, small.idx, raw)


def test_a_file_that_cannot_be_read_is_named(make_dataset, tmp_path):
    small = make_dataset()
    raw = small.write(tmp_path)
    (raw / FILES[1]).unlink()
    (raw / FILES[1]).mkdir()
    with pytest.raises(DataError, match=f"{FILES[1]}: cannot be read .Is a directory.; mend it"):
        read_idx(small.spec, small.idx, raw)


def test_a_file_that_is_no_idx_file_is_refused_without_a_checksum(make_dataset, tmp_path):
    small = make_dataset()
    raw = small.write(tmp_path)
    content = bytearray(small.files[FILES[0]])
    content[7] ^= 1
    (raw / FILES[0]).write_bytes(content)
    with pytest.raises(DataError, match=r"altered \(its header is not that of 50 x 28 x 28 bytes in IDX"):
        read_idx(small.spec, small.idx, raw)


def test_a_label_that_is_no_class_is_refused_without_a_checksum(make_dataset, tmp_path):
    small = make_dataset()
    raw = small.write(tmp_path)
    (raw / FILES[3]).write_bytes(small.files[FILES[3]][:-1] + b"\x0a")
    with pytest.raises(DataError, match=f"{FILES[3]}: altered .label 10, expected 0 to 9"):
        read_idx(small.spec, small.idx, raw)


def test_files_whose_checksum_is_not_published_are_reported_as_unverified(make_dataset, tmp_path):
    small = make_dataset()
    raw = small.write(tmp_path)
    loaded = read_idx(small.spec, small.idx, raw)
    assert not loaded.verified
    assert loaded.notices == (
        f"small in {raw} is not verified: checksums are published for its .gz archives only, and they are "
        "not all beside the files; sizes, headers and labels are right",
    )


def test_archives_beside_the_files_verify_them(make_dataset, tmp_path):
    small = make_dataset()
    loaded = read_idx(small.spec, small.idx, small.write(tmp_path, archives=True))
    assert loaded.verified
    assert loaded.notices == ()


def test_one_missing_archive_leaves_the_data_set_unverified(make_dataset, tmp_path):
    small = make_dataset()
    raw = small.write(tmp_path, archives=True)
    (raw / f"{FILES[2]}.gz").unlink()
    assert not read_idx(small.spec, small.idx, raw).verified


@pytest.mark.parametrize("published_sha256", [False, True])
def test_archives_alone_are_enough(make_dataset, tmp_path, published_sha256):
    small = make_dataset(published_sha256=published_sha256)
    loaded = read_idx(small.spec, small.idx, small.write(tmp_path, files=False, archives=True))
    assert loaded.verified
    assert loaded.test.pixels.flags["WRITEABLE"]
    np.testing.assert_array_equal(loaded.test.pixels, small.arrays[2].reshape(20, 784))


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_differs_from_its_archive_is_refused(make_dataset, tmp_path, name):
    small = make_dataset()
    raw = small.write(tmp_path, archives=True)
    content = bytearray(small.files[name])
    content[-1] ^= 1
    (raw / name).write_bytes(content)
    with pytest.raises(DataError, match=f"{name}: altered .SHA-256"):
        read_idx(small.spec, small.idx, raw)


@pytest.mark.parametrize("files", [False, True])
def test_a_damaged_archive_is_named(make_dataset, tmp_path, files):
    small = make_dataset()
    raw = small.write(tmp_path, files=files, archives=True)
    archive = raw / f"{FILES[0]}.gz"
    archive.write_bytes(archive.read_bytes()[:-1])
    with pytest.raises(DataError) as caught:
        read_idx(small.spec, small.idx, raw)
    assert str(caught.value).startswith(f"{archive}: truncated or altered (MD5 ")


def test_mnist_has_the_published_majority_class_accuracies(real_mnist_dir):
    loaded = load_dataset("mnist", real_mnist_dir)
    splits = (loaded.train, loaded.validation, loaded.test)
    assert [split.pixels.shape for split in splits] == [(50_000, 784), (10_000, 784), (10_000, 784)]
    assert [f"{majority_class_accuracy(split):.2%}" for split in splits] == ["11.28%", "11.02%", "11.35%"]
    assert (loaded.name, loaded.spec.mean, loaded.spec.std, loaded.verified) == ("mnist", (0.1307,), (0.3081,), True)
    assert loaded.fingerprint == "516c452a902a1257f0ebde80b0fa706ae617a6554da3a5312506bec86c8fb4b3"
    order = torch.randperm(60_000, generator=torch.Generator().manual_seed(1337)).numpy()
    images = (real_mnist_dir / "MNIST" / "raw" / FILES[0]).read_bytes()
    for row in (0, 49_999):
        assert loaded.train.pixels[row].tobytes() == images[16 + 784 * order[row] :][:784]
    assert loaded.validation.pixels[0].tobytes() == images[16 + 784 * order[50_000] :][:784]
    assert load_dataset("auto", real_mnist_dir).fingerprint == loaded.fingerprint


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("dataset", ["mnist", "auto"])
def test_real_mnist_with_one_altered_byte_is_refused(real_mnist_dir, tmp_path, name, dataset):
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for other in FILES:
        (raw / other).symlink_to(Path(real_mnist_dir, "MNIST", "raw", other).resolve())
    path = raw / name
    path.unlink()
    shutil.copyfile(real_mnist_dir / "MNIST" / "raw" / name, path)
    with path.open("r+b") as file:
        file.seek(-1, 2)
        last = file.read(1)[0]
        file.seek(-1, 2)
        file.write(bytes([last ^ 1]))
    with pytest.raises(DataError, match=f"{name}: altered"):
        load_dataset(dataset, tmp_path)
