"""The binary format of CIFAR-10, in a small data set made here, as an archive and unpacked."""

from __future__ import annotations

import hashlib
import io
import tarfile

import numpy as np
import pytest

from psa_tui.data import cifar
from psa_tui.data.catalogue import CIFAR10_FILES, CifarFiles
from psa_tui.data.spec import DATASETS, DatasetSpec
from psa_tui.data.split import split_order
from psa_tui.errors import DataError, RetryableError

RECORDS = 20
SPEC = DatasetSpec(
    name="small",
    input_shape=(3, 4, 4),
    classes=10,
    mean=(0.5,) * 3,
    std=(0.25,) * 3,
    train_count=30,
    validation_count=10,
    test_count=20,
    load=pytest.fail,
)
NAMES = ("data_batch_1.bin", "data_batch_2.bin", "test_batch.bin")


class Small:
    def __init__(self, mirror_url: str = "http://127.0.0.1:9/") -> None:
        draws = np.random.default_rng(3)
        self.labels = {name: draws.integers(0, 10, RECORDS, np.uint8) for name in NAMES}
        self.pixels = {name: draws.integers(0, 256, (RECORDS, 48), np.uint8) for name in NAMES}
        self.files = {name: np.column_stack([self.labels[name], self.pixels[name]]).tobytes() for name in NAMES}
        self.url = mirror_url
        self.more: list[tuple[tarfile.TarInfo, bytes]] = []

    @property
    def archive(self) -> bytes:
        made = io.BytesIO()
        with tarfile.open(fileobj=made, mode="w:gz", compresslevel=1) as archive:
            for name, content in self.files.items():
                member = tarfile.TarInfo(f"small-bin/{name}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
            for member, content in self.more:
                archive.addfile(member, io.BytesIO(content))
        return made.getvalue()

    def described(self, archive: bytes) -> CifarFiles:
        return CifarFiles(f"{self.url}small.tar.gz", hashlib.md5(archive).hexdigest(), "small-bin", NAMES, RECORDS)


@pytest.fixture
def small() -> Small:
    return Small()


def write(folder, files):
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def test_the_archive_is_read_split_by_the_fixed_seed_and_verified_and_nothing_is_unpacked(small, tmp_path):
    outside = tarfile.TarInfo("../outside.bin")
    link = tarfile.TarInfo("small-bin/data_batch_1.bin")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    small.more = [(outside, b""), (link, b"")]
    archive = small.archive
    (tmp_path / "small.tar.gz").write_bytes(archive)
    found = cifar.load_cifar(SPEC, small.described(archive), tmp_path)
    assert found.verified
    pixels = np.concatenate([small.pixels[name] for name in NAMES[:2]])
    labels = np.concatenate([small.labels[name] for name in NAMES[:2]])
    order = split_order(40)
    assert np.array_equal(found.train.pixels, pixels[order[:30]])
    assert np.array_equal(found.validation.labels, labels[order[30:]])
    assert np.array_equal(found.test.pixels, small.pixels["test_batch.bin"])
    assert [path.name for path in tmp_path.iterdir()] == ["small.tar.gz"]


def test_unpacked_files_are_the_same_data_set_and_not_verified(small, tmp_path):
    write(tmp_path / "small-bin", small.files)
    found = cifar.load_cifar(SPEC, small.described(b""), tmp_path)
    (tmp_path / "other").mkdir()
    archive = small.archive
    (tmp_path / "other" / "small.tar.gz").write_bytes(archive)
    assert found.fingerprint == cifar.load_cifar(SPEC, small.described(archive), tmp_path / "other").fingerprint
    assert not found.verified
    assert "not verified" in found.notices[0]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda files: files.pop("data_batch_2.bin"), "data_batch_2.bin: cannot be read"),
        (
            lambda files: files.update({"data_batch_1.bin": files["data_batch_1.bin"][:-1]}),
            "has 979 bytes, expected 980",
        ),
        (lambda files: files.update({"test_batch.bin": files["test_batch.bin"] + b"x"}), "has 981 bytes, expected 980"),
        (
            lambda files: files.update({"test_batch.bin": b"\x0a" + files["test_batch.bin"][1:]}),
            "label 10, expected 0 to 9",
        ),
    ],
)
def test_damaged_files_are_refused_in_one_line(small, tmp_path, damage, message):
    damage(small.files)
    write(tmp_path / "small-bin", small.files)
    with pytest.raises(DataError, match=message) as caught:
        cifar.load_cifar(SPEC, small.described(b""), tmp_path)
    assert "\n" not in str(caught.value)


def test_an_altered_or_truncated_archive_is_refused(small, tmp_path):
    archive = small.archive
    path = tmp_path / "small.tar.gz"
    for content in (archive[:-1], archive[:100], b"", archive + b"x"):
        path.write_bytes(content)
        with pytest.raises(DataError, match="truncated or altered"):
            cifar.load_cifar(SPEC, small.described(archive), tmp_path)
    # Even one with the right checksum: what is published might be damaged.
    for content in (archive[: len(archive) // 2], b"nonsense"):
        path.write_bytes(content)
        with pytest.raises(DataError, match="cannot be read"):
            cifar.load_cifar(SPEC, small.described(content), tmp_path)


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
def test_the_archive_is_downloaded_when_nothing_is_there_and_refused_when_it_is_another(mirror, tmp_path):
    small = Small(mirror.url)
    archive = small.archive
    mirror.answers = {"small.tar.gz": archive}
    said: list[str] = []
    found = cifar.load_cifar(SPEC, small.described(archive), tmp_path / "here", said.append)
    assert found.verified
    assert said == [f"downloading small to {tmp_path / 'here'}"]
    assert cifar.load_cifar(SPEC, small.described(archive), tmp_path / "here").fingerprint == found.fingerprint
    assert mirror.fetched == ["small.tar.gz"]
    mirror.answers = {"small.tar.gz": b"a login page"}
    with pytest.raises(DataError, match="not the published data"):
        cifar.load_cifar(SPEC, small.described(archive), tmp_path / "there")
    mirror.answers = {}
    with pytest.raises(RetryableError, match=r"cannot be downloaded .*; repeat .* or put small.tar.gz there"):
        cifar.load_cifar(SPEC, small.described(archive), tmp_path / "there")
    assert {path.name for path in (tmp_path / "there").iterdir()} == {".psa-download.lock"}


def test_cifar10_is_known_by_what_is_published():
    spec = DATASETS.find("cifar10")
    assert (spec.inputs, spec.image_count) == (3072, 60_000)
    assert CIFAR10_FILES.records * (1 + spec.inputs) == 30_730_000
    assert len(CIFAR10_FILES.names) * CIFAR10_FILES.records == spec.image_count
