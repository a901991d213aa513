"""The orders in which epochs visit images."""

from __future__ import annotations

import numpy as np

from psa_tui.engine.backends.numba.kernels.shuffling import shuffle
from psa_tui.method.randomness import Purpose, generator


def shuffled(seed: int, meta_loop: int, count: int) -> np.ndarray:
    """Return what ``psa_tui.method.randomness.shuffled`` does."""
    bits, order, last = generator(seed, meta_loop, Purpose.SHUFFLE).bit_generator, np.arange(count), count - 1
    while last > 0:
        # A place takes 1.4 draws, two of which are a word of 64 bits, the lower half first.
        words: np.ndarray = bits.random_raw(last * 3 // 4 + 1)
        last = shuffle(order, last, words.view(np.uint32))
    return order
