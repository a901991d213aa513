"""Whether a loaded data set is what its spec says: a plug-in can be wrong, and training would not notice."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

import numpy as np

from psa_tui.data.spec import Dataset, DatasetSpec, Split
from psa_tui.errors import DataError


def check_dataset(name: str, spec: DatasetSpec, loaded: Dataset) -> None:
    """Refuse a data set, registered as ``name``, that contradicts its spec.

    Where all is right this looks at nothing but the labels, and at floats.

    Raises:
        DataError: the first contradiction, with what was found and what was expected.
    """
    for problem in _problems(name, spec, loaded):
        raise DataError(f"data set {name!r}: {problem}; mend the code that makes it")


def _problems(name: str, spec: DatasetSpec, loaded: Dataset) -> Iterator[str]:
    if spec.name != name:
        yield f"its spec is named {spec.name!r}, expected the name it is registered with"
    if min(spec.input_shape, default=0) < 1:
        yield f"its input shape is {spec.input_shape}, expected (channels, rows, columns)"
    channels = spec.channels
    for what, numbers in (("mean", spec.mean), ("std", spec.std)):
        if len(numbers) != channels or not all(map(math.isfinite, numbers)):
            yield f"its {what} is {numbers}, expected a tuple of one finite number for each of {channels} channels"
    if min(spec.std) <= 0:
        yield f"its std is {spec.std}, expected numbers above 0"
    if not isinstance(loaded, Dataset) or loaded.spec is not spec:
        yield "what its load function returned is no Dataset with the spec it is registered with"
    if not re.fullmatch("[0-9a-f]{64}", loaded.fingerprint):
        yield f"its fingerprint is {loaded.fingerprint[:80]!r}, expected a SHA-256 as 64 hexadecimal digits"
    for split_name, split, count in (
        ("train", loaded.train, spec.train_count),
        ("validation", loaded.validation, spec.validation_count),
        ("test", loaded.test, spec.test_count),
    ):
        for problem in _problems_of_split(spec, split, count):
            yield f"its {split_name} split: {problem}"


def _problems_of_split(spec: DatasetSpec, split: Split, count: int) -> Iterator[str]:
    if count < 1:
        yield f"the spec says {count} images, expected at least 1"
    for what, array, dtype, shape in (
        ("pixels", split.pixels, np.dtype(np.float32 if spec.floats else np.uint8), (count, spec.inputs)),
        ("labels", split.labels, np.dtype(np.int64), (count,)),
    ):
        if not isinstance(array, np.ndarray):
            yield f"{what} are a {type(array).__name__}, expected a NumPy array"
        if array.dtype != dtype or array.shape != shape:
            yield f"{what} are {_described(array.dtype, array.shape)}, expected {_described(dtype, shape)}"
        if not array.flags.c_contiguous:
            yield f"{what} are not C-contiguous, expected np.ascontiguousarray of them"
    if spec.floats and not np.isfinite(split.pixels).all():
        yield "pixels have numbers that are not finite"
    least, most = int(split.labels.min()), int(split.labels.max())
    if least < 0 or most >= spec.classes:
        yield f"labels are from {least} to {most}, expected 0 to {spec.classes - 1}"


def _described(dtype: np.dtype[np.generic], shape: tuple[int, ...]) -> str:
    return f"{dtype} [{', '.join(map(str, shape))}]"
