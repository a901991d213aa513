"""Reads CIFAR-10 in its binary format: of each image a byte for the label, then 3 x 32 x 32 bytes.

It is read from the archive as it is published, in memory: nothing is unpacked into files. Unpacked files beside it are
read too; what is published for them is no checksum, so they are not verified.
"""

from __future__ import annotations

import hashlib
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from psa_tui.data.catalogue import CifarFiles
from psa_tui.data.spec import Dataset, DatasetSpec, Say
from psa_tui.data.split import SPLIT_SEED, fingerprint, split_order, take
from psa_tui.errors import DataError
from psa_tui.outside import open_outside

_CHUNK_BYTES = 1 << 20


def load_cifar(spec: DatasetSpec, files: CifarFiles, dataset_dir: Path, say: Say | None = None) -> Dataset:
    """Load the data set from the archive in ``dataset_dir``, or its files; where neither is there, download it.

    Raises:
        DataError: a file is missing, truncated, altered or unreadable, or a download cannot be stored.
        RetryableError: nothing is there, and it cannot be downloaded now.
    """
    folder, archive = dataset_dir / files.folder, dataset_dir / files.archive_name
    is_unpacked = folder.is_dir() and not archive.exists()
    if not is_unpacked and not archive.exists():
        from psa_tui.data.download import download_archive

        download_archive(spec, files.url, files.archive_md5, dataset_dir, say)
    place = folder if is_unpacked else archive
    contents = dict(_unpacked(spec, files, folder) if is_unpacked else _archived(spec, files, archive))
    size = files.records * (1 + spec.inputs)
    for name in files.names:
        found = len(contents[name]) if name in contents else 0
        if found != size:
            raise DataError(f"{place}: {name} has {found} bytes, expected {size}; {_remedy(place, spec)}")
    records = {name: np.frombuffer(contents[name], np.uint8).reshape(files.records, -1) for name in files.names}
    for name, of_file in records.items():
        if (largest := int(of_file[:, 0].max())) >= spec.classes:
            expected = f"expected 0 to {spec.classes - 1}"
            raise DataError(f"{place}: {name}: altered (label {largest}, {expected}); {_remedy(place, spec)}")
    *names, test_name = files.names
    train, test = np.concatenate([records[name] for name in names]), records[test_name]
    order = split_order(len(train))
    counts = f"{spec.train_count} train + {spec.validation_count} validation"
    rule = f"{counts} of {len(train)} (random_split, seed {SPLIT_SEED})"
    notice = f"{spec.name} in {folder} is not verified: checksums are published for its archive only"
    return Dataset(
        spec=spec,
        train=take(train[:, 1:], train[:, 0], order[: spec.train_count]),
        validation=take(train[:, 1:], train[:, 0], order[spec.train_count :]),
        test=take(test[:, 1:], test[:, 0], np.arange(len(test))),
        origin=str(place),
        split_rule=rule,
        fingerprint=fingerprint([hashlib.sha256(contents[name]).hexdigest() for name in files.names], rule),
        verified=not is_unpacked,
        notices=(notice,) if is_unpacked else (),
    )


def _unpacked(spec: DatasetSpec, files: CifarFiles, folder: Path) -> Iterator[tuple[str, bytes]]:
    for name in files.names:
        try:
            with open_outside(folder / name) as file:
                yield name, file.read(files.records * (1 + spec.inputs) + 1)
        except OSError as error:
            reason = error.strerror or error
            raise DataError(f"{folder / name}: cannot be read ({reason}); {_remedy(folder, spec)}") from None


def _archived(spec: DatasetSpec, files: CifarFiles, archive: Path) -> Iterator[tuple[str, bytes]]:
    """Go through the files in the archive; it is looked into only when it is the published one."""
    names = {f"{files.folder}/{name}": name for name in files.names}
    try:
        with open_outside(archive) as file:
            digest = hashlib.md5(usedforsecurity=False)
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
            found = digest.hexdigest()
            if found != files.archive_md5:
                expected = f"MD5 {found[:12]}..., expected {files.archive_md5[:12]}..."
                raise DataError(f"{archive}: truncated or altered ({expected}); {_remedy(archive, spec)}")
            file.seek(0)
            with tarfile.open(fileobj=file, mode="r:gz") as members:
                for member in members:
                    if member.isreg() and member.name in names and (content := members.extractfile(member)):
                        yield names[member.name], content.read(files.records * (1 + spec.inputs) + 1)
    except (OSError, tarfile.TarError, EOFError, zlib.error) as error:
        raise DataError(f"{archive}: cannot be read ({error}); {_remedy(archive, spec)}") from None


def _remedy(place: Path, spec: DatasetSpec) -> str:
    return f"delete {place} and psa downloads {spec.name} again"
