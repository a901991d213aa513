"""Reads data sets of IDX files, and checks them; nothing is returned that did not pass every check."""

from __future__ import annotations

import gzip
import hashlib
import os
import struct
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from psa_tui.data.catalogue import IdxFile, IdxFiles
from psa_tui.data.spec import Dataset, DatasetSpec, Say
from psa_tui.data.split import SPLIT_SEED, fingerprint, split_order, take
from psa_tui.errors import DataError

_UNSIGNED_BYTE = 8
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class _Content:
    values: np.ndarray
    sha256: str
    verified: bool


def load_idx(spec: DatasetSpec, files: IdxFiles, dataset_dir: Path, say: Say | None = None) -> Dataset:
    """Load a data set whose files are in ``dataset_dir``; when none of them is there, download them first.

    Raises:
        DataError: a file is missing, truncated, altered or unreadable, or a download cannot be stored.
        RetryableError: the files are not there and cannot be downloaded now.
    """
    raw = raw_folder(files, dataset_dir)
    if not files_present(files, raw):
        from psa_tui.data.download import download

        download(spec, files, dataset_dir, say)
    return read_idx(spec, files, raw)


def raw_folder(files: IdxFiles, dataset_dir: Path) -> Path:
    """Return where ``files`` lie."""
    return dataset_dir / files.folder / "raw"


def files_present(files: IdxFiles, raw: Path) -> set[str]:
    """Return the names of ``files``, and of their archives, that are in the folder ``raw``.

    Raises:
        DataError: ``raw`` is there, and cannot be listed.
    """
    try:
        found = os.listdir(raw)
    except FileNotFoundError:
        return set()
    except OSError as error:
        raise DataError(f"{raw}: cannot be read ({error.strerror}); mend it or choose another --dataset-dir") from None
    return {name for file in files.all for name in (file.name, file.archive_name)} & set(found)


def read_idx(spec: DatasetSpec, files: IdxFiles, raw: Path) -> Dataset:
    """Read the data set whose files are in the folder ``raw``, check them, and split it.

    Raises:
        DataError: a file is missing, truncated, altered or unreadable.
    """
    present = files_present(files, raw)
    missing = [file.name for file in files.all if not {file.name, file.archive_name} & present]
    if missing:
        raise DataError(
            f"{raw}: {spec.name} is incomplete, missing {', '.join(missing)}; add what is missing, or {_remedy(raw)}"
        )
    train_labels, test_labels = (
        _read_labels(raw, file, present, spec.classes) for file in (files.train_labels, files.test_labels)
    )
    test_images, train_images = (_read(raw, file, present) for file in (files.test_images, files.train_images))
    contents = (train_images, train_labels, test_images, test_labels)
    verified = all(content.verified for content in contents)

    count = len(train_labels.values)
    order = split_order(count)
    train_count = count - spec.validation_count
    rule = f"{train_count} train + {spec.validation_count} validation of {count} (random_split, seed {SPLIT_SEED})"
    pixels = train_images.values.reshape(count, -1)
    return Dataset(
        spec=spec,
        train=take(pixels, train_labels.values, order[:train_count]),
        validation=take(pixels, train_labels.values, order[train_count:]),
        test=take(
            test_images.values.reshape(len(test_labels.values), -1),
            test_labels.values,
            np.arange(len(test_labels.values)),
        ),
        origin=str(raw),
        split_rule=rule,
        fingerprint=fingerprint([content.sha256 for content in contents], rule),
        verified=verified,
        notices=() if verified else (_unverified(spec, raw),),
    )


def _remedy(raw: Path) -> str:
    return f"delete the folder {raw} and psa downloads it again"


def _unverified(spec: DatasetSpec, raw: Path) -> str:
    return (
        f"{spec.name} in {raw} is not verified: checksums are published for its .gz archives only, and "
        "they are not all beside the files; sizes, headers and labels are right"
    )


def _read_labels(raw: Path, file: IdxFile, present: set[str], classes: int) -> _Content:
    content = _read(raw, file, present)
    if (largest := int(content.values.max())) >= classes:
        raise DataError(f"{raw / file.name}: altered (label {largest}, expected 0 to {classes - 1}); {_remedy(raw)}")
    return content


def _read(raw: Path, file: IdxFile, present: set[str]) -> _Content:
    """Return the values of ``file``, flat uint8, from the file itself or else from its archive."""
    path, archive = raw / file.name, raw / file.archive_name
    header = struct.pack(f">BBBB{len(file.shape)}I", 0, 0, _UNSIGNED_BYTE, len(file.shape), *file.shape)
    size = len(header) + prod(file.shape)
    is_unpacked = file.name in present
    shown = path if is_unpacked else archive
    needs_archive = file.archive_name in present and (file.sha256 is None or not is_unpacked)
    try:
        if needs_archive:
            _check_archive(archive, file.archive_md5)
        data = _load(path, size) if is_unpacked else _unpack(archive, size)
        if len(data) < size:
            raise DataError(f"{shown}: truncated ({len(data)} bytes, expected {size}); {_remedy(raw)}")
        if len(data) > size:
            raise DataError(f"{shown}: altered (more than the expected {size} bytes); {_remedy(raw)}")
        if data[: len(header)].tobytes() != header:
            shape = " x ".join(map(str, file.shape))
            raise DataError(f"{shown}: altered (its header is not that of {shape} bytes in IDX format); {_remedy(raw)}")
        found = hashlib.sha256(data.data).hexdigest()
        expected = file.sha256
        if expected is None and needs_archive:
            expected = _unpacked_sha256(archive) if is_unpacked else found
    except OSError as error:
        raise DataError(
            f"{error.filename or shown}: cannot be read ({error.strerror or error}); mend it, or {_remedy(raw)}"
        ) from None
    if expected is not None and found != expected:
        raise DataError(f"{shown}: altered (SHA-256 {found[:12]}..., expected {expected[:12]}...); {_remedy(raw)}")
    return _Content(data[len(header) :], found, expected is not None)


def _load(path: Path, size: int) -> np.ndarray:
    """Return the bytes of the file, uint8 [n]; n is ``size + 1`` when there are more than ``size``."""
    with path.open("rb") as opened:
        return np.fromfile(opened, np.uint8, size + 1)


def _check_archive(archive: Path, md5: str) -> None:
    with archive.open("rb") as opened:
        found = hashlib.file_digest(opened, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if found != md5:
        raise DataError(
            f"{archive}: truncated or altered (MD5 {found[:12]}..., expected {md5[:12]}...); {_remedy(archive.parent)}"
        )


def _unpack(archive: Path, size: int) -> np.ndarray:
    """Return what the archive holds, as ``_load`` does."""
    with gzip.open(archive) as opened:
        return np.frombuffer(opened.read(size + 1), np.uint8)


def _unpacked_sha256(archive: Path) -> str:
    digest = hashlib.sha256()
    with gzip.open(archive) as opened:
        while chunk := opened.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
