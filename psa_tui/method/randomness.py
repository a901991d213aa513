"""Addressed randomness: every draw comes from a generator derived from (seed, meta-loop, purpose).

Nothing is streamed from loop to loop, so a resume needs only the loop's index, and a member of a
population draws exactly what the same trial draws alone. The derivation is NumPy's ``SeedSequence``
(entropy = the trial's seed, spawn key = meta-loop and purpose), whose output NumPy guarantees not to
change. All draws are made on the CPU: every device sees the same numbers.
"""

from __future__ import annotations

import hashlib
from enum import IntEnum

import numpy as np


class Purpose(IntEnum):
    """What a draw is for. The values are part of the address: never renumber them."""

    INITIALISATION = 0
    SHUFFLE = 1
    ABLATION = 2
    DROPOUT = 3
    PROMOTION = 4
    LABELS = 5
    PROBED_UNITS = 6
    PROBED_NOISE = 7
    NAMED = 8
    """What a training loop of a user's own draws, by a name behind this one."""


def generator(seed: int, meta_loop: int, purpose: Purpose) -> np.random.Generator:
    """Return the generator of one address; ``meta_loop`` is 0 for what precedes the first loop."""
    return np.random.default_rng(np.random.SeedSequence(entropy=seed, spawn_key=(meta_loop, int(purpose))))


def named_seed(seed: int, meta_loop: int, name: str) -> int:
    """Return the seed, of 64 bits, for what a user's own code calls ``name``.

    It is the first word of ``SeedSequence(entropy=seed, spawn_key=(meta_loop, 8, high, low))``, where high and low are
    the first two 32-bit words, the most significant byte first, of the SHA-256 digest of the name in UTF-8.
    """
    digest = hashlib.sha256(name.encode()).digest()
    words = (int.from_bytes(digest[:4]), int.from_bytes(digest[4:8]))
    address = np.random.SeedSequence(entropy=seed, spawn_key=(meta_loop, int(Purpose.NAMED), *words))
    return int(address.generate_state(1, np.uint64)[0])


def shuffled(seed: int, meta_loop: int, count: int) -> np.ndarray:
    """Return the order in which the epoch of ``meta_loop`` visits ``count`` training images: int64 [count]."""
    return generator(seed, meta_loop, Purpose.SHUFFLE).permutation(count)


class DropoutMaskDraws:
    """Draws the dropout masks of one trial's epoch, step by step.

    A unit is kept when its 16 random bits, read as a number, are at least ``rate * 65536``; the rate is
    thereby exact to 1/65536, and ``scale`` makes up for the rate that was really applied.
    """

    def __init__(self, seed: int, meta_loop: int, rate: float) -> None:
        """``rate`` is the probability of dropping a unit, from 0 to below 1."""
        self._bits = generator(seed, meta_loop, Purpose.DROPOUT).bit_generator
        self.threshold = min(round(rate * 65536), 65535)
        self.scale = 65536 / (65536 - self.threshold)

    def fill_dropout_mask(self, mask: np.ndarray) -> None:
        """Draw one step's mask into ``mask`` [hidden units, batch], floats: ``scale`` where a unit is kept, else 0.

        The hidden units are those of all layers, first to last. The 64-bit words the bit generator draws are
        used up to the first ``mask.size`` groups of 16 bits, lowest bits first; each step starts a new word.
        """
        words: np.ndarray = self._bits.random_raw(-(-mask.size // 4)).astype("<u8", copy=False)
        kept = words.view("<u2")[: mask.size].reshape(mask.shape) >= self.threshold
        np.multiply(kept, mask.dtype.type(self.scale), out=mask)

    @property
    def position(self) -> tuple[int, int]:
        """PCG64's state before the next word, and its increment: what finds any later word without those before it."""
        numbers = self._bits.state["state"]
        return numbers["state"], numbers["inc"]
