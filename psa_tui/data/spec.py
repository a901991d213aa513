"""What a data set is, before and after it is loaded. Importing this needs neither torch nor torchvision.

``DATASETS`` has every data set by name. To add one from outside, register a ``DatasetSpec`` in the entry point group
``psa_tui.datasets``; ``--dataset NAME`` then trains on it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from psa_tui.registry import Registry

if TYPE_CHECKING:
    import numpy as np

Say = Callable[[str], None]
"""Is told in words what takes long, such as a download."""


@dataclass(frozen=True, slots=True)
class Split:
    """Images and labels of one split; row i of one belongs to row i of the other."""

    pixels: np.ndarray
    """[N, numbers of an image], C-contiguous: channels, rows, columns flattened; uint8, or where the spec says
    ``floats`` float32, standardised already, as a network sees them."""
    labels: np.ndarray
    """int64 [N], 0 to classes - 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetSpec:
    """A data set that can be loaded, and what is known of it without loading."""

    name: str
    input_shape: tuple[int, ...]
    """Of one image: channels, rows, columns; or one dimension only."""
    classes: int
    mean: tuple[float, ...]
    """Of each channel, of pixels scaled to [0, 1]: a network sees ``(pixels / 255 - mean) / std``.

    Floats are not scaled: it sees ``(numbers - mean) / std``. Those of a file or a folder are known when it is loaded.
    """
    std: tuple[float, ...]
    train_count: int
    validation_count: int
    test_count: int
    majority_class_accuracy: float | None = None
    """What always answering the most frequent class scores on the validation images, where it is known beforehand."""
    floats: bool = False
    """Whether it has floats, and not bytes."""
    class_names: tuple[str, ...] = ()
    """What the classes are called, where they are called anything."""
    path: str | None = None
    """Where the file or the folder is, for data that has no name of its own."""
    load: Callable[[Path, Say | None], Dataset]
    """Loads and verifies it from the data folder, and downloads it there if need be.

    Raises ``DataError`` when something is missing, damaged or altered, ``RetryableError`` when a download failed.
    """

    @property
    def channels(self) -> int:
        """Channels of one image: one where it has a single dimension."""
        return self.input_shape[0] if len(self.input_shape) > 1 else 1

    @property
    def inputs(self) -> int:
        """Numbers of one image."""
        return math.prod(self.input_shape)

    @property
    def image_count(self) -> int:
        """Images of all splits."""
        return self.train_count + self.validation_count + self.test_count


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """A loaded, verified and split data set."""

    spec: DatasetSpec
    train: Split
    validation: Split
    test: Split
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

    @property
    def name(self) -> str:
        """What was loaded: never ``auto``."""
        return self.spec.name


DATASETS: Registry[DatasetSpec] = Registry("data set", "psa_tui.datasets")
AUTO = "auto"
"""MNIST, or the embedded digits when no file of MNIST is there and no network either."""
