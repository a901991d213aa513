"""Reads a data set from a file of NumPy arrays: ``x_train`` and ``y_train``, and parts for validation and test.

All are refused together that do not fit in the memory, by what their headers say.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np

from psa_tui.data.arrays import Header, opened, read_array, read_headers
from psa_tui.data.free_memory import available_memory_bytes
from psa_tui.data.parts import PARTS, TRAIN, check_labels, digest_of, divide, split_sizes
from psa_tui.data.spec import Dataset, DatasetSpec, Say, Split
from psa_tui.errors import DataError
from psa_tui.formatting import did_you_mean, format_bytes

_NAMES = {
    f"{kind}_{name}": (kind, part)
    for part, names in zip(PARTS, (("train",), ("validation", "val", "valid"), ("test",)), strict=True)
    for name in names
    for kind in "xy"
}
"""What arrays may be called."""
_CLASS_NAMES = "class_names"
_CHANNELS = (1, 3, 4)
"""So many channels a picture may have, where its last dimension is to be taken for them."""
_COPIES = 3
"""As many times the size of all arrays is needed at most while they are read and divided."""
_LONGEST_NAMES = 1 << 20
"""Bytes of all names of classes."""


def npz_spec(path: Path, name: str) -> DatasetSpec:
    """Return what the headers in the file at ``path``, and its labels, say of the data set called ``name``.

    Raises:
        DataError: it is damaged, larger than the memory, or no data that can be trained on.
    """
    with opened(path) as archive:
        headers = _headers(path, archive)
        labels = _labels(path, archive, headers)
        class_names = _class_names(path, archive, headers)
    train = headers["x", TRAIN]
    classes = check_labels(f"{path}: y_train", labels[TRAIN])
    if class_names and len(class_names) != classes:
        raise DataError(f"{path}: {_CLASS_NAMES} has {len(class_names)} names, and y_train {classes} classes")
    for part, found in labels.items():
        if found.min() < 0 or found.max() >= classes:
            raise DataError(
                f"{path}: y_{part} has labels from {found.min()} to {found.max()}, expected 0 to {classes - 1} as in "
                "y_train"
            )
    shape = _image_shape(train.shape)
    sizes = split_sizes({part: len(found) for part, found in labels.items()})
    if sizes[0] < 1:
        raise DataError(f"{path}: {train} are too few images to cut the other parts from")
    channels = shape[0] if len(shape) > 1 else 1
    return DatasetSpec(
        name=name,
        input_shape=shape,
        classes=classes,
        mean=(0.0,) * channels,
        std=(1.0,) * channels,
        train_count=sizes[0],
        validation_count=sizes[1],
        test_count=sizes[2],
        floats=train.dtype.kind == "f",
        class_names=class_names,
        path=str(path),
        load=partial(_load, path, name),
    )


def _load(path: Path, name: str, dataset_dir: Path, say: Say | None) -> Dataset:
    # The file may have changed since it was last looked at.
    spec = npz_spec(path, name)
    parts, digests = {}, []
    with opened(path) as archive:
        headers = _headers(path, archive)
        labels = _labels(path, archive, headers)
        for part, found in labels.items():
            pixels = _pixels(path, archive, headers["x", part])
            digests += [digest_of(f"x {part} of {spec.input_shape}", pixels), digest_of(f"y {part}", found)]
            parts[part] = Split(pixels, found)
    return divide(spec, parts, digests, str(path), _notices(headers[("x", TRAIN)], headers))


def _notices(train: Header, headers: Mapping[tuple[str, str], Header]) -> tuple[str, ...]:
    found = [header.name for (kind, _), header in headers.items() if kind == "" and header.name != _CLASS_NAMES]
    notices = [f"not used of the file: {', '.join(found)[:200]}"] if found else []
    if len(train.shape) == 4 and train.shape[1] in _CHANNELS and train.shape[3] in _CHANNELS:
        notices.append(f"{train} is read as images, channels, rows, columns")
    return tuple(notices)


def _headers(path: Path, archive: zipfile.ZipFile) -> dict[tuple[str, str], Header]:
    """Return the headers by kind (x, y) and part; what is called otherwise has the kind "" and its own name.

    Raises:
        DataError: an array is missing, there twice, of a form or dtype that it cannot have, or all are too large.
    """
    found: dict[tuple[str, str], Header] = {}
    for header in read_headers(path, archive):
        name = header.name
        if name[:2] in ("x_", "y_") and name not in _NAMES:
            expected = ", ".join(_NAMES)
            raise DataError(f"{path}: has {name[:60]!r}, expected {expected}{did_you_mean(name, _NAMES)}")
        key = _NAMES.get(name, ("", name))
        if key in found:
            raise DataError(f"{path}: has {found[key].name[:60]} and {name[:60]}, expected one of them, once")
        found[key] = header
    for part in PARTS:
        _check_part(path, part, found.get(("x", part)), found.get(("y", part)), found.get(("x", TRAIN)))
    needed = _COPIES * sum(header.size for (kind, _), header in found.items() if kind)
    if needed > (available := available_memory_bytes()):
        raise DataError(
            f"{path}: its arrays need about {format_bytes(needed)} of memory, {format_bytes(available)} are available; "
            "keep fewer or smaller images in it, or go to a larger machine"
        )
    return found


def _check_part(path: Path, part: str, x: Header | None, y: Header | None, train: Header | None) -> None:
    if x is None and y is None and part != TRAIN:
        return
    if x is None or y is None or train is None:
        absent = f"x_{part}" if x is None else f"y_{part}"
        raise DataError(f"{path}: has no {absent}; expected x_train and y_train, and both of each further part")
    if not (x.dtype == np.uint8 or (x.dtype.kind == "f" and x.dtype.itemsize <= 8)) or len(x.shape) not in (2, 3, 4):
        raise DataError(
            f"{path}: {x}: expected uint8 (0 to 255) or float32, [images, numbers], [images, rows, columns] or "
            "[images, channels, rows, columns]; astype and reshape make it so"
        )
    if y.dtype.kind not in "iu" or y.shape not in ((x.shape[0],), (x.shape[0], 1)):
        raise DataError(f"{path}: {y}: expected {x.shape[0]} whole numbers, a label for each image of {x.name}")
    if 0 in x.shape:
        raise DataError(f"{path}: {x} is empty; leave it out or fill it")
    if (x.shape[1:], x.dtype.kind) != (train.shape[1:], train.dtype.kind):
        raise DataError(f"{path}: {x}: expected images like those of {train}")


def _image_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return an image's channels, rows, columns, of the shape of all images; one dimension stays one."""
    match shape[1:]:
        case (rows, columns):
            return (1, rows, columns)
        case (first, rows, columns) if _has_channels_last(shape):
            return (columns, first, rows)
    return shape[1:]


def _has_channels_last(shape: tuple[int, ...]) -> bool:
    """Whether an image is rows, columns, channels; where it could be otherwise, channels come first, as in PyTorch."""
    return len(shape) == 4 and shape[3] in _CHANNELS and min(shape[1:3]) > max(_CHANNELS)


def _labels(path: Path, archive: zipfile.ZipFile, headers: Mapping[tuple[str, str], Header]) -> dict[str, np.ndarray]:
    """Return the labels by part, int64 [N]."""
    found = {}
    for part in PARTS:
        if ("y", part) in headers:
            labels = read_array(path, archive, headers["y", part]).reshape(-1)
            if labels.max() > np.iinfo(np.int64).max:
                raise DataError(f"{path}: y_{part}: label {labels.max()}, expected classes that count from 0")
            found[part] = labels.astype(np.int64)
    return found


def _class_names(path: Path, archive: zipfile.ZipFile, headers: Mapping[tuple[str, str], Header]) -> tuple[str, ...]:
    """Return what the classes are called, where the file says so."""
    header = headers.get(("", _CLASS_NAMES))
    if header is None:
        return ()
    if header.dtype.kind != "U" or len(header.shape) != 1 or header.size > _LONGEST_NAMES:
        raise DataError(f"{path}: {header}: expected a text for each class")
    try:
        names = tuple(str(name) for name in read_array(path, archive, header))
    except (ValueError, UnicodeError):
        names = ("\0",)
    if not all(name and name.isprintable() for name in names):
        raise DataError(f"{path}: {_CLASS_NAMES} has a name that is empty or cannot be printed; rename the class")
    return names


def _pixels(path: Path, archive: zipfile.ZipFile, header: Header) -> np.ndarray:
    """Return the images of an array, [N, inputs]: channels, rows, columns flattened."""
    pixels = read_array(path, archive, header)
    if _has_channels_last(header.shape):
        pixels = pixels.transpose(0, 3, 1, 2)
    pixels = np.ascontiguousarray(pixels).reshape(len(pixels), -1)
    if header.dtype.kind == "f":
        wrong = [number for number, image in enumerate(pixels) if not np.isfinite(image).all()]
        if wrong:
            raise DataError(
                f"{path}: {header.name} has NaN or infinity in {len(wrong):,} images, the first is image {wrong[0]}; "
                "remove or fill them"
            )
    return pixels
