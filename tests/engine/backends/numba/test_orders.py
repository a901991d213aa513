import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from psa_tui.engine.backends.numba import NumbaBackend
from psa_tui.engine.backends.numba.kernels.shuffling import shuffle
from psa_tui.engine.meta_loop import run_meta_loops
from psa_tui.method import randomness
from psa_tui.method.variants import find_variant
from tests.engine.trials import HYPERPARAMETERS, MIXED, population


@settings(max_examples=60, deadline=None)
@example(0, 1, 0)
@example(0, 1, 1)
@example(3, 7, 65_536)
@example(3, 7, 65_537)
@given(st.integers(0, 2**64), st.integers(1, 1 << 20), st.integers(0, 3000))
def test_the_order_of_images_is_that_of_numpy(seed, loop, count):
    np.testing.assert_array_equal(
        NumbaBackend().shuffled(seed, loop, count), randomness.shuffled(seed, loop, count), strict=True
    )


@pytest.mark.parametrize("each", [1, 2, 7])
def test_words_may_come_a_few_at_a_time(each):
    bits = randomness.generator(5, 2, randomness.Purpose.SHUFFLE).bit_generator
    order, last = np.arange(1000), 999
    while last > 0:
        last = shuffle(order, last, bits.random_raw(each).view(np.uint32))
    np.testing.assert_array_equal(order, randomness.shuffled(5, 2, 1000))


def test_the_engine_leaves_the_draw_to_the_backend(monkeypatch, train_images, validation_images):
    asked = []

    def drawn(self, *address):
        asked.append(address)
        return randomness.shuffled(*address)

    monkeypatch.setattr(NumbaBackend, "shuffled", drawn)
    members = (4, "full"), (4, "none"), (9, "full")
    trained = population(MIXED, *((seed, find_variant(name)) for seed, name in members), backend="numba")
    for _ in run_meta_loops(trained, train_images, validation_images, HYPERPARAMETERS, 2):
        pass
    assert asked == [(seed, loop, len(train_images)) for loop in (1, 2) for seed in (4, 9)]
