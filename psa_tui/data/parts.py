"""From the parts that a file or a folder has, to splits: what is missing is cut from the training part.

Then the pixels are standardised per channel, by the mean and the standard deviation of the training split.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

import numpy as np

from psa_tui.data.spec import Dataset, DatasetSpec, Split
from psa_tui.data.split import SPLIT_SEED, class_counts, fingerprint, split_order
from psa_tui.errors import DataError

TRAIN, VALIDATION, TEST = PARTS = ("train", "validation", "test")
_SHARE = 6
"""A part that is missing is a sixth of the images to train on, as MNIST's validation images are."""
_BLOCK_NUMBERS = 1 << 20
"""So many numbers are looked at together: what they are turned into takes little memory."""
_LARGEST_BYTE = 255


def split_sizes(counts: Mapping[str, int]) -> tuple[int, int, int]:
    """Return how many images the three splits have, where the parts that are given have ``counts``."""
    cut = max(counts[TRAIN] // _SHARE, 1)
    missing = sum(part not in counts for part in PARTS)
    return counts[TRAIN] - missing * cut, counts.get(VALIDATION, cut), counts.get(TEST, cut)


def check_labels(where: str, labels: np.ndarray) -> int:
    """Return how many classes training ``labels`` are of.

    Raises:
        DataError: a class has no image, or there are fewer than two.
    """
    present = np.unique(labels)
    if present[0] < 0:
        raise DataError(f"{where}: label {present[0]}, expected classes that count from 0")
    if present[-1] >= len(present):
        empty = next(label for label, found in enumerate(present) if label != found)
        raise DataError(
            f"{where}: labels are up to {present[-1]}, and no image is of class {empty}; number the classes from 0 "
            "without gaps"
        )
    if len(present) < 2:
        raise DataError(f"{where}: all images are of one class; expected at least two")
    return len(present)


def divide(
    spec: DatasetSpec, parts: Mapping[str, Split], digests: Iterable[str], origin: str, notices: tuple[str, ...] = ()
) -> Dataset:
    """Return the data set of ``parts``, which the ``digests`` are of; it has a spec with its mean and std.

    Raises:
        DataError: after the cut a class has no training image, or the pixels cannot be standardised.
    """
    sizes = (spec.train_count, spec.validation_count, spec.test_count)
    missing = [part for part in PARTS if part not in parts]
    splits = dict(parts)
    whole = parts[TRAIN]
    rule = "{} train + {} validation + {} test".format(*sizes)
    if missing:
        made = [TRAIN, *missing]
        ends = np.cumsum([sizes[PARTS.index(part)] for part in made])
        for part, some in zip(made, np.split(split_order(len(whole.labels)), ends[:-1]), strict=True):
            splits[part] = Split(whole.pixels[some], whole.labels[some])
        rule += f"; {' and '.join(missing)} of train's {len(whole.labels)} (random_split, seed {SPLIT_SEED})"
    counts = class_counts(splits[TRAIN], spec.classes)
    if 0 in counts:
        called = spec.class_names[counts.index(0)] if spec.class_names else counts.index(0)
        raise DataError(f"{origin}: class {called} has no training image; give it more images")
    spec, standardised = _standardised(spec, splits, origin)
    return Dataset(
        spec=spec,
        train=standardised[TRAIN],
        validation=standardised[VALIDATION],
        test=standardised[TEST],
        origin=origin,
        split_rule=rule,
        fingerprint=fingerprint([*digests], rule),
        verified=False,
        notices=notices,
    )


def digest_of(what: str, array: np.ndarray) -> str:
    """Return the SHA-256 (hex) of an array, its form and what it is."""
    found = hashlib.sha256(f"{what} {array.dtype.newbyteorder('<').str} {array.shape}\n".encode())
    found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()


def _standardised(spec: DatasetSpec, splits: Mapping[str, Split], origin: str) -> tuple[DatasetSpec, dict[str, Split]]:
    """Return the spec with the mean and std of the training split, and the splits; bytes stay as they are."""
    moments = _moments_of_floats if spec.floats else _moments_of_bytes
    found = [moments(channel) for channel in _channels(spec, splits[TRAIN].pixels)]
    if not all(map(math.isfinite, (number for pair in found for number in pair))):
        raise DataError(f"{origin}: the numbers are too large to be standardised; scale them")
    if not any(std for _, std in found):
        raise DataError(f"{origin}: all numbers of the training part are the same; there is nothing to learn")
    mean = tuple(mean for mean, _ in found)
    # What never varies becomes 0.
    std = tuple(std or 1.0 for _, std in found)
    spec = replace(spec, mean=mean, std=std)
    if not spec.floats:
        return spec, dict(splits)
    return spec, {
        part: Split(_as_seen(spec, split.pixels, f"{origin}: the {part} part"), split.labels)
        for part, split in splits.items()
    }


def _channels(spec: DatasetSpec, pixels: np.ndarray) -> np.ndarray:
    """Return views of ``pixels`` [N, inputs] by channel: [channels, N, some]."""
    return pixels.reshape(len(pixels), spec.channels, -1).transpose(1, 0, 2)


def _moments_of_bytes(pixels: np.ndarray) -> tuple[float, float]:
    """Return mean and standard deviation of bytes, scaled to [0, 1]: from whole numbers, so the same anywhere."""
    counted = [np.bincount(some.reshape(-1), minlength=_LARGEST_BYTE + 1) for some in _blocks(pixels)]
    counts = [int(count) for count in np.sum(counted, axis=0)]
    number = sum(counts)
    total = sum(value * count for value, count in enumerate(counts))
    squares = sum(value * value * count for value, count in enumerate(counts))
    return total / (number * _LARGEST_BYTE), math.sqrt(number * squares - total**2) / (number * _LARGEST_BYTE)


def _moments_of_floats(numbers: np.ndarray) -> tuple[float, float]:
    """Return mean and standard deviation of floats, from sums in float64 that ``math.fsum`` adds up."""
    with np.errstate(over="ignore", invalid="ignore"):
        mean = _sum(float(some.sum(dtype=np.float64)) for some in _blocks(numbers)) / numbers.size
        squares = _sum(float(np.square(some.astype(np.float64) - mean).sum()) for some in _blocks(numbers))
    return mean, math.sqrt(squares / numbers.size)


def _sum(numbers: Iterable[float]) -> float:
    try:
        return math.fsum(numbers)
    except (OverflowError, ValueError):
        return math.inf


def _blocks(numbers: np.ndarray) -> Iterator[np.ndarray]:
    """Go through rows of ``numbers`` [N, some], a few at a time."""
    step = max(_BLOCK_NUMBERS // numbers.shape[1], 1)
    for begin in range(0, len(numbers), step):
        yield numbers[begin : begin + step]


def _as_seen(spec: DatasetSpec, numbers: np.ndarray, where: str) -> np.ndarray:
    """Return ``numbers`` [N, inputs] as a network sees them: float32, standardised."""
    seen = np.empty(numbers.shape, np.float32)
    mean, std = (np.repeat(values, spec.inputs // spec.channels) for values in (spec.mean, spec.std))
    with np.errstate(over="ignore"):
        for some, target in zip(_blocks(numbers), _blocks(seen), strict=True):
            target[...] = (some.astype(np.float64) - mean) / std
            if not np.isfinite(target).all():
                raise DataError(f"{where} has numbers far beyond those of the training part; scale them")
    return seen
