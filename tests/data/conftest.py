"""A data set of the downloadable kind, small enough to make for a test, and a server to download it from."""

from __future__ import annotations

import gc
import gzip
import hashlib
import os
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from psa_tui.data.catalogue import IdxFile, IdxFiles
from psa_tui.data.spec import DatasetSpec

TRAIN_COUNT, VALIDATION_COUNT, TEST_COUNT = 50, 10, 20


def small_spec() -> DatasetSpec:
    return DatasetSpec(
        name="small",
        input_shape=(1, 28, 28),
        classes=10,
        mean=(0.5,),
        std=(0.25,),
        train_count=TRAIN_COUNT - VALIDATION_COUNT,
        validation_count=VALIDATION_COUNT,
        test_count=TEST_COUNT,
        load=pytest.fail,
    )


@dataclass
class SmallDataset:
    spec: DatasetSpec
    idx: IdxFiles
    files: dict[str, bytes]
    arrays: list[np.ndarray]
    """Train images, train labels, test images, test labels."""

    @property
    def archives(self) -> dict[str, bytes]:
        return {name + ".gz": gzip.compress(content, mtime=0) for name, content in self.files.items()}

    def write(self, dataset_dir: Path, *, files: bool = True, archives: bool = False) -> Path:
        raw = dataset_dir / self.idx.folder / "raw"
        raw.mkdir(parents=True)
        for name, content in ((self.files if files else {}) | (self.archives if archives else {})).items():
            (raw / name).write_bytes(content)
        return raw


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.fixture
def make_dataset() -> Callable[..., SmallDataset]:
    def make(*, published_sha256: bool = False, seed: int = 0) -> SmallDataset:
        draw = np.random.default_rng(seed)
        arrays = []
        for count in (TRAIN_COUNT, TEST_COUNT):
            arrays.append(draw.integers(0, 256, (count, 28, 28), np.uint8))
            arrays.append(draw.integers(0, 10, count, np.uint8))
        names = [f"{part}-{kind}-ubyte" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")]
        files = {name: idx(array) for name, array in zip(names, arrays, strict=True)}
        described = [
            IdxFile(
                name,
                array.shape,
                hashlib.md5(gzip.compress(files[name], mtime=0)).hexdigest(),
                hashlib.sha256(files[name]).hexdigest() if published_sha256 else None,
            )
            for name, array in zip(names, arrays, strict=True)
        ]
        return SmallDataset(small_spec(), IdxFiles("FashionMNIST", *described), files, arrays)

    return make


class Mirror:
    """A loopback HTTP server; ``answers`` maps a file name to its content.

    The file named ``held`` is sent half, the rest when ``release`` is set.
    """

    def __init__(self) -> None:
        self.answers: dict[str, bytes] = {}
        self.fetched: list[str] = []
        self.held: str | None = None
        self.holding = threading.Event()
        self.release = threading.Event()
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path.rsplit("/", 1)[-1]
                if name not in mirror.answers:
                    self.send_error(404)
                    return
                content = mirror.answers[name]
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if self.headers["Method"] == "HEAD":
                    # torchvision's look for redirections, which does not read the content
                    return
                mirror.fetched.append(name)
                half = len(content) // 2
                self.wfile.write(content[:half])
                if name == mirror.held:
                    self.wfile.flush()
                    mirror.holding.set()
                    mirror.release.wait(30)
                self.wfile.write(content[half:])

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients hang up on purpose
        self.url = f"http://127.0.0.1:{self.server.server_port}/"


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    mirror = Mirror()
    thread = threading.Thread(target=mirror.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield mirror
    mirror.release.set()
    mirror.server.shutdown()
    thread.join()
    mirror.server.server_close()
    gc.collect()  # the sockets that torchvision left open, while their warnings are this test's


@pytest.fixture
def real_mnist_dir() -> Path:
    folder = os.environ.get("PSA_DATASET_DIR")
    if not folder or not (Path(folder) / "MNIST" / "raw").is_dir():
        pytest.skip("PSA_DATASET_DIR names no folder with MNIST")
    return Path(folder)


@pytest.fixture
def cache_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own, wherever the platform keeps caches below HOME."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home" / "cache"))
    from psa_tui.data.embedded import cache_path

    return cache_path().parent
