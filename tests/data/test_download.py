from __future__ import annotations

import errno
import gzip
import hashlib
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from psa_tui.data.download import download
from psa_tui.data.idx import read_idx
from psa_tui.data.load import load_dataset
from psa_tui.errors import DataError, RetryableError
from tests import program

# torchvision and urllib leave the socket of an answer that was an error to the garbage collector.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")]

FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


@pytest.fixture
def small(make_dataset, mirror, monkeypatch):
    """A small data set that torchvision, asked for FashionMNIST, downloads from ``mirror``."""
    small = make_dataset()
    mirror.answers = dict(small.archives)
    monkeypatch.setattr("torchvision.datasets.FashionMNIST.mirrors", [mirror.url])
    monkeypatch.setattr("torchvision.datasets.FashionMNIST.resources", resources(small))
    return small


def resources(small) -> list[tuple[str, str]]:
    return [(file.archive_name, file.archive_md5) for file in small.idx.all]


def start(small, mirror, dataset_dir: Path, before: str = "", **options) -> subprocess.Popen[str]:
    """The same download in a process of its own."""
    code = f"""
import sys
from pathlib import Path
from torchvision.datasets import FashionMNIST
from psa_tui.data.catalogue import IdxFile, IdxFiles
from psa_tui.data.download import download
from psa_tui.errors import PsaError
from tests.data.conftest import small_spec
FashionMNIST.mirrors, FashionMNIST.resources = [{mirror.url!r}], {resources(small)!r}
{before}
try:
    download(small_spec(), {small.idx!r}, Path({str(dataset_dir)!r}), print)
except PsaError as error:
    sys.exit(f"{{type(error).__name__}}: {{error}}")
"""
    return program.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )


def visible(dataset_dir: Path) -> list[str]:
    return sorted(path.name for path in dataset_dir.iterdir() if path.name != ".psa-download.lock")


def test_a_download_is_verified_and_leaves_nothing_but_the_data_set(small, tmp_path, capfd):
    said: list[str] = []
    download(small.spec, small.idx, tmp_path, said.append)

    raw = tmp_path / "FashionMNIST" / "raw"
    assert said == [f"downloading small to {raw}"]
    assert capfd.readouterr() == ("", "")
    assert visible(tmp_path) == ["FashionMNIST"]
    assert {path.name: path.read_bytes() for path in raw.iterdir()} == small.files | small.archives
    assert read_idx(small.spec, small.idx, raw).verified
    assert socket.getdefaulttimeout() is None


def test_what_is_there_is_not_downloaded_again(small, mirror, tmp_path):
    small.write(tmp_path)
    download(small.spec, small.idx, tmp_path)
    assert mirror.fetched == []


def test_what_an_interrupted_download_left_is_removed_by_the_next(small, tmp_path):
    stale = tmp_path / ".psa-download-x1y2" / "FashionMNIST" / "raw"
    stale.mkdir(parents=True)
    (stale / FILES[0]).write_bytes(b"half")
    download(small.spec, small.idx, tmp_path)
    assert visible(tmp_path) == ["FashionMNIST"]


def test_a_foreign_file_in_the_folder_stays(small, tmp_path):
    raw = tmp_path / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    (raw / ".DS_Store").write_bytes(b"mine")
    download(small.spec, small.idx, tmp_path)
    assert (raw / ".DS_Store").read_bytes() == b"mine"
    assert read_idx(small.spec, small.idx, raw).verified


def test_a_server_without_the_files_is_a_network_failure(small, mirror, tmp_path):
    del mirror.answers[f"{FILES[2]}.gz"]
    with pytest.raises(RetryableError) as caught:
        download(small.spec, small.idx, tmp_path)
    assert str(caught.value) == (
        f"small is not in {tmp_path}/FashionMNIST/raw and cannot be downloaded (HTTP Error 404: Not Found); "
        f"repeat the command when online, or put {', '.join(FILES)} there"
    )
    assert visible(tmp_path) == []


def test_a_silent_server_is_a_network_failure_after_the_timeout(small, mirror, tmp_path):
    mirror.held = f"{FILES[0]}.gz"
    with pytest.raises(RetryableError, match=r"cannot be downloaded \(timed out\); repeat"):
        download(small.spec, small.idx, tmp_path, timeout_s=0.2)
    assert visible(tmp_path) == []


def test_a_download_that_is_not_the_published_data_is_refused(small, mirror, tmp_path):
    mirror.answers[f"{FILES[1]}.gz"] = b"<html>Please log in</html>"
    with pytest.raises(DataError, match=r"what was downloaded is not the published data \(File not found or corrupted"):
        download(small.spec, small.idx, tmp_path)
    assert visible(tmp_path) == []


def test_a_download_that_torchvision_accepts_is_still_checked(small, mirror, monkeypatch, tmp_path):
    other = gzip.compress(b"not an IDX file")
    mirror.answers[f"{FILES[3]}.gz"] = other
    accepted = [*resources(small)[:3], (f"{FILES[3]}.gz", hashlib.md5(other).hexdigest())]
    monkeypatch.setattr("torchvision.datasets.FashionMNIST.resources", accepted)
    # torchvision reads the test images and labels it has fetched, whatever they hold
    monkeypatch.setattr("torchvision.datasets.FashionMNIST._load_data", lambda self: (None, None))
    with pytest.raises(DataError, match=r"not the published data \(.*t10k-labels-idx1-ubyte.gz: truncated or altered"):
        download(small.spec, small.idx, tmp_path)
    assert visible(tmp_path) == []


def test_a_folder_that_cannot_be_made_is_no_network_failure(small, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError) as caught:
        download(small.spec, small.idx, tmp_path / "file" / "dataset")
    assert str(caught.value) == (
        f"{tmp_path}/file/dataset: small cannot be stored there ({os.strerror(errno.ENOTDIR)}); free space "
        "or permissions, choose another --dataset-dir, or use --dataset mnist5k, which needs none"
    )


def test_a_link_in_place_of_the_lock_is_refused_and_its_target_left_alone(small, tmp_path):
    (tmp_path / "diary").write_text("dear diary")
    (tmp_path / "dataset").mkdir()
    (tmp_path / "dataset" / ".psa-download.lock").symlink_to(tmp_path / "diary")
    with pytest.raises(DataError, match=r"dataset/\.psa-download\.lock: is a link, expected a file or nothing"):
        download(small.spec, small.idx, tmp_path / "dataset")
    assert (tmp_path / "diary").read_text() == "dear diary"


def test_a_full_disk_is_no_network_failure(small, mirror, tmp_path):
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))"
    process = start(small, mirror, tmp_path, limit)
    _, complaint = process.communicate(timeout=60)
    assert complaint.startswith(f"DataError: {tmp_path}: small cannot be stored there (File too large); ")
    assert visible(tmp_path) == []


def test_a_killed_download_leaves_nothing_that_reads_as_a_data_set(small, mirror, tmp_path):
    mirror.held = f"{FILES[3]}.gz"
    process = start(small, mirror, tmp_path)
    assert mirror.holding.wait(60)
    process.kill()
    process.communicate()
    assert not (tmp_path / "FashionMNIST").exists()
    assert len(visible(tmp_path)) == 1

    mirror.release.set()
    download(small.spec, small.idx, tmp_path)
    assert visible(tmp_path) == ["FashionMNIST"]


def test_two_processes_that_want_the_same_data_set_download_it_once(small, mirror, tmp_path):
    mirror.held = f"{FILES[3]}.gz"
    process = start(small, mirror, tmp_path)
    assert mirror.holding.wait(60)
    release = threading.Timer(0.3, mirror.release.set)
    release.start()
    download(small.spec, small.idx, tmp_path)
    release.join()
    output = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert sorted(mirror.fetched) == sorted(small.archives)
    assert read_idx(small.spec, small.idx, tmp_path / "FashionMNIST" / "raw").verified


def test_real_mnist_is_downloaded_and_verified_by_its_checksums(real_mnist_dir, mirror, monkeypatch, tmp_path):
    originals = {name: (real_mnist_dir / "MNIST" / "raw" / name).read_bytes() for name in FILES}
    mirror.answers = {f"{name}.gz": gzip.compress(content, 1) for name, content in originals.items()}
    monkeypatch.setattr("torchvision.datasets.MNIST.mirrors", [mirror.url])
    monkeypatch.setattr("torchvision.datasets.MNIST.resources", [(f"{name}.gz", None) for name in FILES])
    loaded = load_dataset("auto", tmp_path)
    assert (loaded.name, loaded.verified, loaded.notices) == ("mnist", True, ())
    assert loaded.fingerprint == load_dataset("mnist", real_mnist_dir).fingerprint
