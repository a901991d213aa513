"""Reads a data set from a folder of images: ``FOLDER/CLASS/IMAGE``, or ``FOLDER/train/CLASS/IMAGE`` and so on.

That is the layout of ``torchvision.datasets.ImageFolder``, with its order of classes. Images stay as they are: one that
is not of the others' size and mode is refused. Decoded once, they are kept in the user's cache folder, see
``image_cache``.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from psa_tui.data import image_cache
from psa_tui.data.free_memory import available_memory_bytes
from psa_tui.data.parts import PARTS, TEST, TRAIN, VALIDATION, divide, split_sizes
from psa_tui.data.spec import Dataset, DatasetSpec, Say, Split
from psa_tui.errors import DataError
from psa_tui.formatting import format_bytes, printable
from psa_tui.outside import open_outside

if TYPE_CHECKING:
    from PIL.Image import Image

_FOLDERS = {"train": TRAIN, "validation": VALIDATION, "val": VALIDATION, "valid": VALIDATION, "test": TEST}
"""What the folders of parts may be called."""
_ENDINGS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
"""Those of torchvision."""
_FORMATS = ("JPEG", "PNG", "PPM", "BMP", "TIFF", "WEBP")
_CHANNELS = {"L": 1, "RGB": 3, "RGBA": 4}
"""Of an image, by its mode."""
_COPIES = 4
"""As many times the size of all images is needed at most while they are read and divided."""
_SAY_EVERY = 10_000


@dataclass(frozen=True, slots=True)
class _Listing:
    """What is in the folder, without looking into any image."""

    class_names: tuple[str, ...]
    parts: Mapping[str, tuple[tuple[str, int], ...]]
    """By part, the path of each image within the folder, and its label."""
    ignored: int
    """Files that are no images by their names."""

    @property
    def images(self) -> list[tuple[str, int]]:
        """All images, part by part."""
        return [image for part in self.parts.values() for image in part]


def folder_spec(folder: Path, name: str) -> DatasetSpec:
    """Return what the listing of ``folder``, and its first image, say of the data set called ``name``.

    Raises:
        DataError: it is no folder of classes of images, or has more than the memory holds.
    """
    return _spec(folder, name, _list(folder))


def _spec(folder: Path, name: str, listing: _Listing) -> DatasetSpec:
    first = folder / listing.parts[TRAIN][0][0]
    shape = _shape_of(_decode(first, _content(first)))
    sizes = split_sizes({part: len(images) for part, images in listing.parts.items()})
    if sizes[0] < 1:
        raise DataError(f"{folder}: has too few images to cut the other parts from")
    needed = _COPIES * len(listing.images) * math.prod(shape)
    if needed > (available := available_memory_bytes()):
        raise DataError(
            f"{folder}: its images need about {format_bytes(needed)} of memory, {format_bytes(available)} are "
            "available; make them smaller or fewer, or go to a larger machine"
        )
    return DatasetSpec(
        name=name,
        input_shape=shape,
        classes=len(listing.class_names),
        mean=(0.0,) * shape[0],
        std=(1.0,) * shape[0],
        train_count=sizes[0],
        validation_count=sizes[1],
        test_count=sizes[2],
        class_names=listing.class_names,
        path=str(folder),
        load=partial(_load, folder, name),
    )


def _load(folder: Path, name: str, dataset_dir: Path, say: Say | None) -> Dataset:
    listing = _list(folder)
    spec = _spec(folder, name, listing)
    images = listing.images
    stamp = _stamp(folder, images)
    kept = image_cache.read(folder, stamp, (len(images), spec.inputs))
    if kept is None:
        kept = _decode_all(folder, images, spec, say)
        image_cache.write(folder, stamp, kept)
    digest, pixels = kept
    parts, begin = {}, 0
    for part, listed in listing.parts.items():
        labels = np.array([label for _, label in listed], np.int64)
        parts[part] = Split(pixels[begin : begin + len(listed)], labels)
        begin += len(listed)
    notices = (f"not used, for their names are not those of images: {listing.ignored:,} files",)
    return divide(spec, parts, [digest], str(folder), notices if listing.ignored else ())


def _stamp(folder: Path, images: list[tuple[str, int]]) -> str:
    """Return the SHA-256 (hex) of what changes when an image does: names, sizes and times, as for Git."""
    found = hashlib.sha256()
    for name, _ in images:
        path = folder / name
        try:
            status = os.stat(path)
        except OSError as error:
            raise _unreadable(path, error) from None
        found.update(f"{name}\n{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}\n".encode())
    return found.hexdigest()


def _decode_all(folder: Path, images: list[tuple[str, int]], spec: DatasetSpec, say: Say | None) -> image_cache.Kept:
    """Return the pixels of all images, and the SHA-256 of their names and contents."""
    found = hashlib.sha256()
    pixels = np.empty((len(images), spec.inputs), np.uint8)
    first = images[0][0]
    for number, (path, _) in enumerate(images):
        if say is not None and number % _SAY_EVERY == 0 and len(images) > _SAY_EVERY:
            say(f"{folder}: decoding images, {number:,} of {len(images):,}; the next time they come from the cache")
        content = _content(folder / path)
        found.update(f"{path}\n{len(content)}\n".encode())
        found.update(content)
        image = _decode(folder / path, content)
        shape = _shape_of(image)
        if shape != spec.input_shape:
            raise DataError(
                f"{folder / path}: is {_described(shape)}, and {first} is {_described(spec.input_shape)}; convert all "
                "images to one size and mode first"
            )
        try:
            array = np.asarray(image)
        except (OSError, ValueError, SyntaxError, EOFError) as error:
            raise _unreadable(folder / path, error) from None
        pixels[number] = (array if array.ndim == 2 else array.transpose(2, 0, 1)).reshape(-1)
    return image_cache.Kept(found.hexdigest(), pixels)


def _content(path: Path) -> bytes:
    try:
        with open_outside(path) as file:
            return file.read()
    except OSError as error:
        raise _unreadable(path, error) from None


def _decode(path: Path, content: bytes) -> Image:
    """Return an image of which the header is read, and the pixels when they are asked for."""
    from PIL import Image, UnidentifiedImageError

    try:
        image = Image.open(BytesIO(content), formats=_FORMATS)
    except UnidentifiedImageError:
        # Its text has the address of a buffer.
        raise _unreadable(path, ValueError(f"its content is none of {', '.join(_FORMATS)}")) from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise _unreadable(path, error) from None
    if image.mode not in _CHANNELS or getattr(image, "n_frames", 1) != 1:
        raise DataError(
            f"{path}: has mode {image.mode} or several frames, expected a picture of mode {', '.join(_CHANNELS)}; "
            "convert all images to one of them"
        )
    return image


def _shape_of(image: Image) -> tuple[int, int, int]:
    """Return channels, rows, columns."""
    return _CHANNELS[image.mode], image.height, image.width


def _described(shape: tuple[int, ...]) -> str:
    mode = next(mode for mode, channels in _CHANNELS.items() if channels == shape[0])
    return f"{mode} {shape[2]} x {shape[1]}"


def _unreadable(path: Path, error: Exception) -> DataError:
    reason = printable(getattr(error, "strerror", None) or " ".join(str(error).split()))[:80]
    return DataError(f"{printable(path)}: cannot be read as an image ({reason}); mend it or take it away")


def _list(folder: Path) -> _Listing:
    """Return what ``folder`` has, in the order of names.

    Raises:
        DataError: it cannot be listed, or is no folder of classes of images.
    """
    top, ignored = _entries(folder)
    layout = "expected FOLDER/CLASS/IMAGE or FOLDER/train/CLASS/IMAGE"
    if "train" not in top:
        of_parts = {TRAIN: folder}
    elif unknown := [name for name in top if name not in _FOLDERS]:
        raise DataError(f"{folder}: has train and {unknown[0][:60]}; beside train expected {', '.join(_FOLDERS)} only")
    else:
        of_parts = {}
        for name in top:
            if _FOLDERS[name] in of_parts:
                raise DataError(f"{folder}: has two folders of validation images; keep one of them")
            of_parts[_FOLDERS[name]] = folder / name
    class_names = tuple(_entries(of_parts[TRAIN])[0])
    if len(class_names) < 2:
        raise DataError(f"{of_parts[TRAIN]}: has {len(class_names)} folders of classes, expected at least 2; {layout}")
    parts = {}
    for part in PARTS:
        if part not in of_parts:
            continue
        found = []
        names, stray = _entries(of_parts[part])
        ignored += stray if part != TRAIN or of_parts[part] != folder else 0
        for name in names:
            if name not in class_names:
                raise DataError(f"{of_parts[part] / name}: there is no class of that name to train on")
            images, others = _images(of_parts[part] / name)
            ignored += others
            if not images and part == TRAIN:
                raise DataError(f"{of_parts[part] / name}: has no image; add some, or take the folder away ({layout})")
            label = class_names.index(name)
            found += [(str((of_parts[part] / name / image).relative_to(folder)), label) for image in images]
        if not found:
            raise DataError(f"{of_parts[part]}: has no image; add some, or take the folder away")
        parts[part] = tuple(found)
    return _Listing(class_names, parts, ignored)


def _entries(folder: Path) -> tuple[list[str], int]:
    """Return the names of the folders in ``folder``, sorted, and how many files are there; hidden ones are passed over.

    Raises:
        DataError: it cannot be listed, or a name cannot be printed.
    """
    names, files = [], 0
    for entry in _scan(folder):
        if entry.is_dir():
            names.append(entry.name)
        else:
            files += 1
    return sorted(names), files


def _images(folder: Path) -> tuple[list[str], int]:
    """Return the names of the images in ``folder``, sorted, and how many other files are there."""
    names, others = [], 0
    for entry in _scan(folder):
        if entry.is_dir():
            raise DataError(f"{folder / entry.name}: is a folder in that of a class, expected images; move them up")
        if entry.name.lower().endswith(_ENDINGS):
            names.append(entry.name)
        else:
            others += 1
    return sorted(names), others


def _scan(folder: Path) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not entry.name.isprintable():
                    raise DataError(
                        f"{folder}: has a name that cannot be printed, {printable(entry.name)[:60]!r}; rename it"
                    )
                if not entry.name.startswith("."):
                    yield entry
    except OSError as error:
        raise DataError(
            f"{folder}: cannot be listed ({error.strerror}); --dataset names FILE.npz or a folder"
        ) from None
