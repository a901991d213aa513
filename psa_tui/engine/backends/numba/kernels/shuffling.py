"""The order of an epoch's images, as NumPy's ``Generator.permutation`` draws it, in a third of its time.

That is the shuffle of Fisher and Yates, as Durstenfeld (1964, "Algorithm 235: Random permutation") has it: the last
place is exchanged with a random one up to it, then the last but one, and so on. A place is 32 random bits, as many of
them as the last place has; one that lies behind it is drawn again. Whether it has to be is no branch here, which a
processor would have to guess: a draw that does not fit exchanges a place with itself.
"""

from __future__ import annotations

import numpy as np

from psa_tui.engine.backends.numba.kernels.compiling import kernel


@kernel
def shuffle(order: np.ndarray, last: int, words: np.ndarray) -> int:
    """Shuffle ``order[: last + 1]``, int64, with the random ``words``, uint32; return the last place that is left.

    It is 0 where the words sufficed; else more of them go on from there.
    """
    at, count = 0, len(words)
    while last > 0 and at < count:
        mask = last
        for bits in (1, 2, 4, 8, 16):
            mask |= mask >> bits
        # All places down to this one have as many bits.
        least = max(mask >> 1, 0)
        while last > least and at < count:
            drawn = np.int64(words[np.uint64(at)]) & mask
            at += 1
            fits = drawn <= last
            place = np.uint64(drawn if fits else last)
            order[place], order[np.uint64(last)] = order[np.uint64(last)], order[place]
            last -= 1 if fits else 0
    return last
