"""From a data set's name to its verified, split arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from psa_tui.data import embedded
from psa_tui.data.catalogue import MNIST, SOURCES, Source
from psa_tui.data.raw import files_present, raw_folder, read_dataset
from psa_tui.data.split import Dataset
from psa_tui.errors import RetryableError


def load_dataset(name: str, dataset_dir: Path, say: Callable[[str], None] | None = None) -> Dataset:
    """Load one of ``config.DATASETS``; files that are not in ``dataset_dir`` are downloaded.

    ``auto`` is MNIST, or ``mnist5k`` (with a notice) when no file of MNIST is there and no network either.
    ``say`` is told what takes long.

    Raises:
        DataError: a file is missing, truncated, altered or unreadable, or a download cannot be stored.
        RetryableError: the files are not there and cannot be downloaded now.
    """
    if name == embedded.NAME:
        return embedded.load_embedded()
    if name != "auto":
        return _load(SOURCES[name], dataset_dir, say)
    try:
        return _load(MNIST, dataset_dir, say)
    except RetryableError as error:
        notice = (
            f"this is {embedded.NAME}, {embedded.COUNT} of MNIST's 70000 images, NOT the full set: its "
            f"accuracies do not compare with MNIST's. {error} (--dataset-dir or PSA_DATASET_DIR names "
            "another folder); then psa clean and psa train --dataset mnist, which accepts nothing but the full set"
        )
        return replace(embedded.load_embedded(), notices=(notice,))


def _load(source: Source, dataset_dir: Path, say: Callable[[str], None] | None) -> Dataset:
    raw = raw_folder(source, dataset_dir)
    if not files_present(source, raw):
        from psa_tui.data.download import download

        download(source, dataset_dir, say)
    return read_dataset(source, raw)
