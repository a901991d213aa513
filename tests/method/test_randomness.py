import numpy as np
import pytest

from psa_tui.method.randomness import DropoutMaskDraws, Purpose, generator, shuffled


def test_every_address_has_its_own_draws_and_always_the_same():
    addresses = [(seed, loop, purpose) for seed in (0, 1, 2**63 - 1) for loop in (0, 1, 2) for purpose in Purpose]
    draws = {address: generator(*address).bytes(16) for address in addresses}
    assert len(set(draws.values())) == len(addresses)
    assert draws == {address: generator(*address).bytes(16) for address in addresses}


def test_the_derivation_is_numpys_seed_sequence_and_never_changes():
    assert generator(1337, 7, Purpose.SHUFFLE).bit_generator.random_raw(2).tolist() == [
        12421440272161277732,
        2163554973283021670,
    ]


def test_an_order_visits_every_image_once_and_differs_between_loops_and_trials():
    order = shuffled(5, 3, 1000)
    assert sorted(order.tolist()) == list(range(1000))
    assert order.tolist() != shuffled(5, 4, 1000).tolist()
    assert order.tolist() != shuffled(6, 3, 1000).tolist()


def mask(draws, *shape):
    """The next step's mask, float32 of ``shape``; the buffer's old content must not matter."""
    drawn = np.full(shape, np.nan, dtype=np.float32)
    draws.fill_dropout_mask(drawn)
    return drawn


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 0.99])
def test_dropout_keeps_the_fraction_it_says_and_its_scale_makes_up_for_it(rate):
    draws = DropoutMaskDraws(1, 1, rate)
    drawn = mask(draws, 333, 1000)
    assert set(np.unique(drawn)) <= {np.float32(0), np.float32(draws.scale)}
    kept = drawn > 0
    expected = 1 - rate
    assert abs(kept.mean() - expected) <= 5 * (expected * rate / kept.size) ** 0.5 + 1 / 65536
    assert draws.scale == pytest.approx(1 / expected, rel=2e-3)


def test_a_step_takes_16_bits_for_each_unit_of_each_image_and_the_next_starts_a_new_word():
    words = generator(1, 2, Purpose.DROPOUT).bit_generator.random_raw(4).tolist()
    kept = [(word >> shift) % 65536 >= 32768 for word in words for shift in (0, 16, 32, 48)]
    draws = DropoutMaskDraws(1, 2, 0.5)
    assert (mask(draws, 3, 2) > 0).tolist() == [kept[0:2], kept[2:4], kept[4:6]]
    assert (mask(draws, 1, 5) > 0).tolist() == [kept[8:13]]
