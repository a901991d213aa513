import numpy as np
import pytest

from psa_tui.engine.randomness import DropoutBits, Purpose, generator, shuffled


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


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 0.99])
def test_dropout_keeps_the_share_it_says_and_its_scale_makes_up_for_it(rate):
    bits = DropoutBits(1, 1, rate)
    kept = bits.keep(1000, 333)
    assert kept.shape == (1000, 333)
    expected = 1 - rate
    assert abs(kept.mean() - expected) <= 5 * (expected * rate / kept.size) ** 0.5 + 1 / 65536
    assert bits.scale == pytest.approx(1 / expected, rel=2e-3)


def test_a_dropout_stream_goes_on_from_mask_to_mask():
    bits = DropoutBits(1, 1, 0.5)
    assert not np.array_equal(bits.keep(64, 64), bits.keep(64, 64))
    assert np.array_equal(DropoutBits(1, 1, 0.5).keep(64, 64), DropoutBits(1, 1, 0.5).keep(64, 64))
