"""From a data set's name to its verified, split arrays."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from psa_tui.data.catalogue import MNIST, MNIST5K
from psa_tui.data.own import is_own, own_spec
from psa_tui.data.spec import AUTO, DATASETS, Dataset, DatasetSpec, Say
from psa_tui.errors import DataError, RetryableError


def dataset_spec(name: str) -> DatasetSpec:
    """Return what is known beforehand of the data set ``name``; what ``auto`` loads has MNIST's shape in any case.

    ``name`` may be the path of data of one's own (see ``own``), of which headers and listings are read.

    Raises:
        ConfigError: there is no such data set.
        DataError: what is at the path is damaged, or no data that can be trained on.
    """
    if is_own(name):
        return own_spec(name)
    return MNIST if name == AUTO else DATASETS.find(name)


def is_substitute(name: str, requested: str) -> bool:
    """Return whether the data set ``name`` is what was loaded for want of the one that ``requested`` stands for."""
    return requested == AUTO and name != MNIST.name


def load_dataset(name: str, dataset_dir: Path, say: Say | None = None) -> Dataset:
    """Load the data set ``name``, or that at the path ``name``; what is not in ``dataset_dir`` is downloaded.

    ``auto`` is MNIST, or ``mnist5k`` (with a notice) when no file of MNIST is there and no network either.
    ``say`` is told what takes long.

    Raises:
        ConfigError: there is no such data set.
        DataError: a file is missing, truncated, altered or unreadable, a download cannot be stored, or what was
            loaded is not what the data set's spec says.
        RetryableError: the files are not there and cannot be downloaded now.
    """
    if name != AUTO:
        return _load(name, dataset_dir, say)
    try:
        return _load(MNIST.name, dataset_dir, say)
    except RetryableError as error:
        notice = (
            f"this is {MNIST5K.name}, {MNIST5K.image_count} of MNIST's {MNIST.image_count} images, NOT the full set: "
            f"its accuracies do not compare with MNIST's. {error} (--dataset-dir or PSA_DATASET_DIR names "
            "another folder); then psa clean and psa train --dataset mnist, which accepts nothing but the full set"
        )
        return replace(_load(MNIST5K.name, dataset_dir, say), notices=(notice,))


def _load(name: str, dataset_dir: Path, say: Say | None) -> Dataset:
    from psa_tui.data.check import check_dataset

    spec = dataset_spec(name)
    loaded = spec.load(dataset_dir, say)
    if not is_own(name):
        check_dataset(name, spec, loaded)
        return loaded
    # Mean and std are known only now.
    if replace(loaded.spec, mean=spec.mean, std=spec.std, load=spec.load) != spec:
        raise DataError(f"{name}: has changed while it was read; repeat the command")
    check_dataset(spec.name, loaded.spec, loaded)
    return loaded
