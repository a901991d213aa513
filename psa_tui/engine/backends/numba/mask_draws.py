"""Where kernels find the words that dropout masks are made of, see ``kernels.dropout``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from psa_tui.engine.backends.numba.kernels.dropout import GROUPS, STREAMS
from psa_tui.method.randomness import DropoutMaskDraws

_MULTIPLIER = 0x2360ED051FC65DA44385DF649FCCF645
"""PCG64's, of 128 bits, as NumPy has it."""
_MODULUS = 1 << 128


def mask_states(
    draws: Sequence[DropoutMaskDraws], units: int, batch: int, images: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return ``Task.mask_states`` and ``Task.mask_moves`` for an epoch.

    Args:
        draws: those of the members that drop, none of whose masks are drawn.
        units: rows of a mask.
        batch: images of a step.
        images: of the epoch; the last step may have fewer.
    """
    states, moves = bytearray(), bytearray()
    steps, row, last_row = -(-images // batch), batch // GROUPS, images % batch // GROUPS
    for one in draws:
        state, increment = one.position
        multiplier, addend = _move(increment, -(-units * batch // GROUPS))
        for _ in range(steps):
            states += state.to_bytes(16, "little")
            state = (state * multiplier + addend) % _MODULUS
        for words in (1, STREAMS, row, row + 1, last_row, last_row + 1):
            for factor in _move(increment, words):
                moves += factor.to_bytes(16, "little")
    return (
        np.frombuffer(states, "<u8").astype(np.uint64).reshape(len(draws), steps, 2),
        np.frombuffer(moves, "<u8").astype(np.uint64).reshape(len(draws), 6, 4),
    )


def _move(increment: int, words: int) -> tuple[int, int]:
    """Return by what to multiply a state, and what to add then, to move it by ``words`` words.

    Two moves are one: a (a' s + b') + b. So a number of words is put together of powers of two (Brown 1994, "Random
    Number Generation with Arbitrary Strides").
    """
    whole, step = (1, 0), (_MULTIPLIER, increment)
    while words:
        if words % 2:
            whole = (whole[0] * step[0] % _MODULUS, (whole[1] * step[0] + step[1]) % _MODULUS)
        step = (step[0] * step[0] % _MODULUS, (step[1] * step[0] + step[1]) % _MODULUS)
        words //= 2
    return whole
