"""Fetching a data set through torchvision: into a temporary folder, checked there, then moved into place."""

from __future__ import annotations

import contextlib
import errno
import http.client
import io
import os
import shutil
import socket
import ssl
import sys
import tempfile
import urllib.error
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from psa_tui.data.catalogue import IdxFiles
from psa_tui.data.idx import files_present, raw_folder, read_idx
from psa_tui.data.spec import DatasetSpec, Say
from psa_tui.errors import DataError, RetryableError
from psa_tui.storage.locks import take_lock

TIMEOUT_S = 15.0
"""How long a server may be silent."""
_TEMPORARY_PREFIX = ".psa-download-"
_NETWORK_ERRORS = (
    urllib.error.URLError,
    http.client.HTTPException,
    ConnectionError,
    TimeoutError,
    ssl.SSLError,
)
_NETWORK_ERRNOS = {errno.ENETDOWN, errno.ENETUNREACH, errno.EHOSTDOWN, errno.EHOSTUNREACH}


def download(
    spec: DatasetSpec, files: IdxFiles, dataset_dir: Path, say: Say | None = None, timeout_s: float = TIMEOUT_S
) -> None:
    """Put ``files`` into ``dataset_dir``, all of them or none; another process may do the same.

    Raises:
        RetryableError: the network or the server failed.
        DataError: what arrived is not the published data, or it cannot be written.
    """
    from torchvision import datasets

    raw = raw_folder(files, dataset_dir)
    published = getattr(datasets, files.folder)

    def fetch(temporary: Path) -> None:
        with _patience(timeout_s, show_progress=say is not None):
            _fetch(published, temporary)
        fetched = raw_folder(files, temporary)
        _check(spec, files, fetched)
        raw.mkdir(parents=True, exist_ok=True)
        _move(fetched, raw)

    names = ", ".join(file.name for file in files.all)
    _into(spec, dataset_dir, raw, names, lambda: bool(files_present(files, raw)), fetch, say)


def download_archive(
    spec: DatasetSpec, url: str, md5: str, dataset_dir: Path, say: Say | None = None, timeout_s: float = TIMEOUT_S
) -> None:
    """Put the archive at ``url`` into ``dataset_dir``, as ``download`` does; nothing is unpacked.

    Raises:
        RetryableError: the network or the server failed.
        DataError: what arrived is not the published archive, or it cannot be written.
    """
    name = url.rpartition("/")[2]

    def fetch(temporary: Path) -> None:
        from torchvision.datasets.utils import check_md5, download_url

        with _patience(timeout_s, show_progress=say is not None):
            download_url(url, temporary, name)
        if not check_md5(temporary / name, md5):
            raise DataError(f"{spec.name}: what was downloaded is not the published data (its MD5 is another)")
        (temporary / name).replace(dataset_dir / name)

    _into(spec, dataset_dir, dataset_dir, name, (dataset_dir / name).exists, fetch, say)


def _into(
    spec: DatasetSpec,
    dataset_dir: Path,
    place: Path,
    names: str,
    is_there: Callable[[], bool],
    fetch: Callable[[Path], None],
    say: Say | None,
) -> None:
    """Let ``fetch`` put ``names`` into ``place``, by a temporary folder in ``dataset_dir``, unless it ``is_there``."""
    try:
        dataset_dir.mkdir(parents=True, exist_ok=True)
        with _locked(dataset_dir):
            for stale in dataset_dir.glob(f"{_TEMPORARY_PREFIX}*/"):
                shutil.rmtree(stale)
            if is_there():
                return
            with tempfile.TemporaryDirectory(prefix=_TEMPORARY_PREFIX, dir=dataset_dir) as temporary:
                if say is not None:
                    say(f"downloading {spec.name} to {place}")
                fetch(Path(temporary))
    except (OSError, http.client.HTTPException) as error:
        if _is_network(error):
            raise RetryableError(
                f"{spec.name} is not in {place} and cannot be downloaded ({_one_line(str(error))}); repeat "
                f"the command when online, or put {names} there"
            ) from None
        reason = getattr(error, "strerror", None) or error
        raise DataError(
            f"{dataset_dir}: {spec.name} cannot be stored there ({reason}); free space or permissions, "
            "choose another --dataset-dir, or use --dataset mnist5k, which needs none"
        ) from None


@contextlib.contextmanager
def _locked(dataset_dir: Path) -> Iterator[None]:
    """Wait until no other process downloads into the folder; the lock ends with the process in any case.

    Raises:
        DataError: the lock's name is a link, which is not followed.
    """
    path = dataset_dir / ".psa-download.lock"
    try:
        descriptor = take_lock(path, wait=True)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise DataError(f"{path}: is a link, expected a file or nothing; remove it, then repeat the command") from None
    try:
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _patience(timeout_s: float, *, show_progress: bool) -> Iterator[None]:
    """Let torchvision show its progress only where somebody sees it, and a server be silent for so long."""
    sink = sys.stderr if show_progress and sys.stderr.isatty() else io.StringIO()
    timeout_before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(timeout_s)
    try:
        with contextlib.redirect_stdout(sink), contextlib.redirect_stderr(sink):
            yield
    finally:
        socket.setdefaulttimeout(timeout_before)


def _fetch(published: Any, root: Path) -> None:
    """Let ``published``, a class of ``torchvision.datasets``, download into ``root``."""
    try:
        published(root, train=False, download=True)
    except RuntimeError as error:
        # torchvision joins what its mirrors answered into one RuntimeError; the last answer is the last line.
        answer = _one_line(str(error).rpartition("got:\n")[2])
        if "corrupted" in str(error):
            raise DataError(
                f"{published.__name__}: what was downloaded is not the published data ({answer}); repeat the "
                "command, or look for what stands between this machine and the server (a login page, a proxy)"
            ) from None
        raise ConnectionError(answer) from None


def _check(spec: DatasetSpec, files: IdxFiles, fetched: Path) -> None:
    try:
        read_idx(spec, files, fetched)
    except DataError as error:
        reason = str(error).partition(";")[0]
        raise DataError(f"{spec.name}: what was downloaded is not the published data ({reason})") from None


def _move(fetched: Path, raw: Path) -> None:
    try:
        fetched.replace(raw)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        # The folder holds files of somebody else's (.DS_Store): they stay.
        for file in fetched.iterdir():
            file.replace(raw / file.name)


def _is_network(error: Exception) -> bool:
    return isinstance(error, _NETWORK_ERRORS) or getattr(error, "errno", None) in _NETWORK_ERRNOS


def _one_line(text: str) -> str:
    return " ".join(text.split())[:240]
