"""How images are divided into splits, what is counted of a split, and fingerprints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from psa_tui.data.spec import Split

if TYPE_CHECKING:
    import numpy as np

SPLIT_SEED = 1337


def class_counts(split: Split, classes: int) -> list[int]:
    """Return how many images each of the ``classes`` has."""
    import numpy as np

    return [int(count) for count in np.bincount(split.labels, minlength=classes)]


def majority_class_accuracy(split: Split) -> float:
    """Return the accuracy (a fraction) of always answering the split's most frequent class."""
    return max(class_counts(split, 0)) / len(split.labels)


def split_order(count: int) -> np.ndarray:
    """Return the permutation of ``range(count)``, int64, that ``torch.utils.data.random_split`` cuts up.

    That is ``torch.randperm`` of a generator with seed ``SPLIT_SEED``: a Fisher-Yates shuffle by words of the Mersenne
    Twister (Matsumoto and Nishimura 1998), which NumPy has too. A process that only needs a data set's fingerprint does
    without PyTorch, and the split stays what it is in whatever version of that.
    """
    import numpy as np

    steps = np.arange(max(count - 1, 0))
    words = np.random.RandomState(SPLIT_SEED).randint(0, 1 << 32, len(steps), np.uint32)
    order = list(range(count))
    for here, there in enumerate((steps + words % (count - steps)).tolist()):
        order[here], order[there] = order[there], order[here]
    return np.array(order, np.int64)


def take(pixels: np.ndarray, labels: np.ndarray, rows: np.ndarray) -> Split:
    """Return the split of ``rows`` of ``pixels`` (uint8 [N, numbers of an image]) and ``labels`` (integers [N])."""
    return Split(pixels[rows], labels[rows].astype("int64"))


def digest(split: Split) -> str:
    """Return the SHA-256 (hex) of a split's pixels followed by its labels."""
    import hashlib

    found = hashlib.sha256(split.pixels.tobytes())
    found.update(split.labels.tobytes())
    return found.hexdigest()


def fingerprint(digests: Sequence[str], split_rule: str) -> str:
    """Return the SHA-256 (hex) over the data's ``digests`` and ``split_rule``."""
    import hashlib

    return hashlib.sha256("\n".join([*digests, split_rule]).encode()).hexdigest()
