"""A data set as arrays, how its images are divided, and what is counted of a split."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from psa_tui.networks.mlp import CLASSES

SPLIT_SEED = 1337


@dataclass(frozen=True, slots=True)
class Split:
    """Images and labels of one split; row i of one belongs to row i of the other."""

    pixels: np.ndarray
    """uint8 [N, 784], C-contiguous, 0 to 255."""
    labels: np.ndarray
    """int64 [N], 0 to 9."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """A verified data set, split; ``(pixels / 255 - mean) / std`` is what a network sees."""

    name: str
    """What was loaded: never ``auto``."""
    train: Split
    validation: Split
    test: Split
    mean: float
    std: float
    origin: str
    """The folder or file it was read from."""
    split_rule: str
    """How the splits were made, in one line."""
    fingerprint: str
    """SHA-256 (hex) of the data's digests and the split rule: equal exactly when both are."""
    verified: bool
    """Whether every byte was checked against a published checksum."""
    notices: tuple[str, ...] = ()
    """What the user must be told before results are believed."""


def class_counts(split: Split) -> list[int]:
    """How many images each of the 10 classes has."""
    return [int(count) for count in np.bincount(split.labels, minlength=CLASSES)]


def majority_class_accuracy(split: Split) -> float:
    """The accuracy (a fraction) of always answering the split's most frequent class."""
    return max(class_counts(split)) / len(split.labels)


def split_order(count: int) -> np.ndarray:
    """The permutation of ``range(count)``, int64, that ``torch.utils.data.random_split`` cuts up."""
    import torch

    order: np.ndarray = torch.randperm(count, generator=torch.Generator().manual_seed(SPLIT_SEED)).numpy()
    return order


def take(pixels: np.ndarray, labels: np.ndarray, rows: np.ndarray) -> Split:
    """The split that consists of ``rows`` of ``pixels`` (uint8 [N, 784]) and ``labels`` (uint8 [N])."""
    return Split(pixels[rows], labels[rows].astype(np.int64))


def fingerprint(digests: list[str], split_rule: str) -> str:
    """SHA-256 (hex) over the data's ``digests`` and ``split_rule``."""
    return hashlib.sha256("\n".join([*digests, split_rule]).encode()).hexdigest()
