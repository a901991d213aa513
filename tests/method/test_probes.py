import numpy as np
import pytest

from psa_tui.errors import ConfigError
from psa_tui.method.probes import UnitKill, WeightNoise, dead_mask, parse_kills, parse_noise
from psa_tui.networks import NETWORKS

NETWORK = NETWORKS.find("mlp").parse("[2*5, 1*3]", (1, 28, 28), 10)
WIDTHS = (5, 5, 3)


def weights(seed=0):
    return NETWORK.initial_weights(np.random.default_rng(seed))


def by_name(row):
    """Copies of the tensors of ``row`` by name."""
    return {one.name: row[one.offset : one.offset + one.size].reshape(one.shape).copy() for one in NETWORK.tensors}


def zeroed_by_hand(row, numbers):
    """The tensors of ``row`` without the hidden units of these numbers, which are counted through the layers."""
    tensors = by_name(row)
    for number in numbers:
        layer = 0
        while number >= WIDTHS[layer]:
            number, layer = number - WIDTHS[layer], layer + 1
        tensors[f"{3 * layer}.weight"][number] = 0
        tensors[f"{3 * layer}.bias"][number] = 0
        tensors[f"{3 * layer + 3}.weight"][:, number] = 0
    return tensors


def damaged(probe, level, row, first=0, draws=4):
    rows = np.repeat(row[None], draws, axis=0)
    probe.damage(rows, NETWORK, level, first)
    return rows


def test_a_unit_loses_incoming_weights_bias_and_outgoing_weights_and_nothing_else_changes():
    probe, row = UnitKill((3,), 4, 7), weights()
    for draw, found in enumerate(damaged(probe, 3, row)):
        expected = zeroed_by_hand(row, probe.chosen(NETWORK, 3, draw))
        for name, tensor in by_name(found).items():
            np.testing.assert_array_equal(tensor, expected[name])


def test_a_draw_zeroes_different_units_the_same_ones_and_more_at_a_higher_level():
    probe = UnitKill((1, 13), 50, 0)
    for draw in range(50):
        every = probe.chosen(NETWORK, 13, draw)
        assert sorted(every) == list(range(13))
        assert [probe.chosen(NETWORK, level, draw) for level in range(13)] == [every[:level] for level in range(13)]
    firsts = {probe.chosen(NETWORK, 1, draw)[0] for draw in range(50)}
    assert firsts == set(range(13))


def test_the_units_depend_on_seed_and_draw_alone():
    wide = NETWORKS.find("mlp").parse("[1*13]", (1, 28, 28), 10)
    assert [UnitKill((4,), 9, 1).chosen(wide, 4, draw) for draw in range(9)] == [
        UnitKill((2, 4, 6), 20, 1).chosen(NETWORK, 4, draw) for draw in range(9)
    ]
    assert UnitKill((4,), 9, 1).chosen(NETWORK, 4, 0) != UnitKill((4,), 9, 2).chosen(NETWORK, 4, 0)
    together = damaged(UnitKill((4,), 4, 1), 4, weights())
    np.testing.assert_array_equal(damaged(UnitKill((4,), 4, 1), 4, weights(), first=2, draws=2), together[2:])


def test_noise_moves_every_tensor_by_its_own_root_mean_square_along_a_draws_one_direction():
    probe, row = WeightNoise((0.1, 0.2), 4, 0), weights()
    row[NETWORK.tensors[0].offset : NETWORK.tensors[1].offset] *= 1000
    row[NETWORK.tensors[1].offset : NETWORK.tensors[2].offset] = 0
    small, large = (damaged(probe, level, row) - row for level in (0.1, 0.2))
    np.testing.assert_allclose(large, 2 * small, rtol=1e-2, atol=1e-5 * np.abs(row).max())
    for tensor in NETWORK.tensors:
        part = slice(tensor.offset, tensor.offset + tensor.size)
        scale = np.sqrt(np.mean(row[part].astype(float) ** 2))
        assert small[:, part].std() == pytest.approx(0.1 * scale, rel=5 / np.sqrt(4 * tensor.size))
    assert not np.array_equal(small[0], small[1])


def test_a_unit_without_incoming_weights_and_bias_is_dead_whatever_leads_out():
    row = weights()
    tensors = {one.name: row[one.offset : one.offset + one.size].reshape(one.shape) for one in NETWORK.tensors}
    for name, unit in (("0", 2), ("6", 1)):
        tensors[f"{name}.weight"][unit] = tensors[f"{name}.bias"][unit] = 0
    tensors["3.weight"][4] = 0
    tensors["3.bias"][0] = 0
    assert np.flatnonzero(dead_mask(row, NETWORK)).tolist() == [2, 11]


def test_the_dead_among_the_zeroed_are_counted_draw_by_draw():
    dead = np.zeros(13, dtype=bool)
    dead[[2, 11]] = True
    probe = UnitKill((5,), 30, 3)
    expected = [len({2, 11} & set(probe.chosen(NETWORK, 5, draw))) for draw in range(30)]
    assert probe.dead_among(dead, NETWORK, 5) == pytest.approx(np.mean(expected))
    assert probe.dead_among(dead, NETWORK, 13) == 2


@pytest.mark.parametrize(
    ("text", "levels"),
    [
        ("1..4", (1, 2, 3, 4)),
        ("0..64:16", (16, 32, 48, 64)),
        ("5, 2,2", (2, 5)),
        ("0", ()),
        ("1..3,10..30:10", (1, 2, 3, 10, 20, 30)),
    ],
)
def test_numbers_of_units_are_read(text, levels):
    assert parse_kills(text) == levels


@pytest.mark.parametrize(
    "text", ["", "x", "3..1", "1..5:0", "-1", "1..", "1.5", "0..999999999", "1..900,1001..1900", "٣", "1" * 30]
)
def test_what_is_no_number_of_units_is_refused_in_one_line(text):
    with pytest.raises(ConfigError, match=r"^--kill: expected numbers of units such as 1\.\.10, .*found .*$"):
        parse_kills(text)


def test_levels_of_noise_are_read():
    assert parse_noise("0.1,0.03,1e-2,0") == (0.01, 0.03, 0.1)
    assert parse_noise("auto") == (0.01, 0.03, 0.1, 0.3, 1.0)


@pytest.mark.parametrize("text", ["", "x", "-0.1", "nan", "inf", "1e9", "0.1,,0.2", "1_0", "٣"])
def test_what_is_no_level_of_noise_is_refused_in_one_line(text):
    with pytest.raises(ConfigError, match=r"^--noise: expected at most 1000 numbers from 0 to 1000 .*found .*$"):
        parse_noise(text)
