import numpy as np
import pytest

from psa_tui.engine.backends.numba.mask_draws import mask_states
from psa_tui.method.randomness import DropoutMaskDraws, Purpose, generator


def state_after(words, seed):
    bits = generator(seed, 3, Purpose.DROPOUT).bit_generator
    bits.advance(words)
    return bits.state["state"]["state"]


def number(words):
    return int.from_bytes(words.astype("<u8").tobytes(), "little")


@pytest.mark.parametrize(("units", "batch", "last", "each"), [(5, 64, 64, 80), (7, 9, 6, 16)])
def test_every_step_begins_where_numpys_own_generator_would_be(units, batch, last, each):
    draws = [DropoutMaskDraws(seed, 3, 0.5) for seed in (1, 2)]
    states, moves = mask_states(draws, units, batch, 2 * batch + last)
    for seed, of_one, its_moves in zip((1, 2), states, moves, strict=True):
        assert [number(one) for one in of_one] == [state_after(each * k, seed) for k in range(3)]
        rows = batch // 4, batch // 4 + 1, last % batch // 4, last % batch // 4 + 1
        for words, factors in zip((1, 4, *rows), its_moves, strict=True):
            moved = state_after(0, seed) * number(factors[:2]) + number(factors[2:])
            assert moved % 2**128 == state_after(words, seed)


def test_members_that_drop_nothing_have_no_states():
    states, moves = mask_states([], 0, 64, 300)
    assert states.shape == (0, 5, 2)
    assert moves.dtype == states.dtype == np.uint64
