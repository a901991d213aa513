"""What effects do to the numbers of a unit, and what selections choose."""

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare, kstest

from psa_tui.engine.population import initial_population_row
from psa_tui.errors import ConfigError
from psa_tui.method.ablation import Ablation, Candidate
from psa_tui.networks import NETWORKS

MIXED = NETWORKS.find("mlp").parse("[2*6, 1*3]", (1, 28, 28), 10)
UNITS = [6, 6, 3, 10]


def candidate(row, activations=None):
    return Candidate(torch.from_numpy(row), MIXED.initial_weights, lambda: np.asarray(activations))


def ablate(selection, effect="zero", amount="1", seed=0, activations=None):
    """What was done to a fresh network: its weights before and after, and the units."""
    before = initial_population_row(MIXED, 1)
    after = before.copy()
    units = Ablation(selection, amount, effect).ablate(
        candidate(after, activations), MIXED, np.random.default_rng(seed)
    )
    return before, after, [(unit.layer, unit.unit) for unit in units]


def numbers_of(layer, unit, *, outgoing):
    """The places of a unit's weights and bias in a row, from the shapes of its layers alone."""
    widths = [784, *UNITS]
    start = sum((widths[at] + 1) * widths[at + 1] for at in range(layer))
    inputs, outputs = widths[layer], widths[layer + 1]
    places = [*range(start + unit * inputs, start + (unit + 1) * inputs)]
    bias = start + inputs * outputs + unit
    following = start + inputs * outputs + outputs
    out = [following + row * outputs + unit for row in range(widths[layer + 2])] if outgoing else []
    return places, bias, out


@pytest.mark.parametrize("selection", ["output", "hidden"])
def test_noise_moves_the_units_own_numbers_as_far_as_zeroing_them_would(selection):
    before, after, (unit,) = ablate(selection, "noise")
    places, bias, out = numbers_of(*unit, outgoing=selection == "hidden")
    own = [*places, bias, *out]
    moved = np.flatnonzero(before != after)
    assert set(moved) <= set(own)
    assert len(moved) > 0.99 * len(own)
    distance, norm = (np.linalg.norm(some.astype(float)) for some in ((after - before)[own], before[own]))
    assert distance == pytest.approx(norm, rel=1e-6)


def test_scatter_moves_as_many_numbers_anywhere_as_far():
    places_hit = set()
    for seed in range(20):
        before, after, (unit,) = ablate("output", "scatter", seed=seed)
        places, bias, _ = numbers_of(*unit, outgoing=False)
        moved = np.flatnonzero(before != after)
        assert len(moved) == len(places) + 1
        norm = np.linalg.norm(before[[*places, bias]].astype(float))
        assert np.linalg.norm((after - before).astype(float)) == pytest.approx(norm, rel=1e-5)
        places_hit |= set(moved)
    assert max(places_hit) > 4000 > min(places_hit), "all layers are hit"


def test_reinit_draws_a_unit_from_the_law_it_was_first_drawn_from():
    values = []
    for seed in range(40):
        before, after, (unit,) = ablate("layer:0", "reinit", seed=seed)
        places, bias, _ = numbers_of(*unit, outgoing=False)
        assert set(np.flatnonzero(before != after)) <= {*places, bias}
        values += [*after[places], after[bias]]
    bound = 1 / np.sqrt(784)
    assert kstest(values, "uniform", (-bound, 2 * bound)).pvalue > 1e-3


@pytest.mark.parametrize(("effect", "kept"), [("bias", "weights"), ("weights", "bias"), ("none", "all")])
def test_a_part_of_a_unit_is_zeroed_and_a_sham_touches_nothing(effect, kept):
    before, after, (unit,) = ablate("output", effect)
    places, bias, _ = numbers_of(*unit, outgoing=False)
    expected = before.copy()
    if kept == "weights":
        expected[bias] = 0
    elif kept == "bias":
        expected[places] = 0
    assert np.array_equal(after, expected)


def test_smallest_and_largest_are_those_by_the_norm_of_incoming_weights():
    row = initial_population_row(MIXED, 1)
    norms = {}
    for layer in range(3):
        for unit in range(UNITS[layer]):
            norms[layer, unit] = np.linalg.norm(row[numbers_of(layer, unit, outgoing=False)[0]])
    ordered = sorted(norms, key=norms.get)
    assert ablate("smallest", amount="3")[2] == ordered[:3]
    assert ablate("largest", amount="3")[2] == ordered[::-1][:3]


def test_dormant_is_the_least_active_and_equal_ones_come_in_random_order():
    activations = [5.0] * 15
    activations[7], activations[2], activations[14] = 0.0, 0.0, 1.0
    found = Counter(tuple(ablate("dormant", amount="3", seed=seed, activations=activations)[2]) for seed in range(40))
    dead, other = (1, 1), (0, 2)
    assert set(found) == {(dead, other, (2, 2)), (other, dead, (2, 2))}


@pytest.mark.parametrize(("selection", "units"), [("layer:1", [(1, u) for u in range(6)]), ("unit:2.1", [(2, 1)])])
def test_a_layer_is_hit_uniformly_and_a_fixed_unit_always(selection, units):
    drawn = Counter(ablate(selection, seed=seed)[2][0] for seed in range(600))
    assert set(drawn) == set(units)
    assert chisquare([drawn[unit] for unit in units]).pvalue > 1e-3 or len(units) == 1


@given(st.sampled_from(["full", "hidden", "output", "smallest", "layer:0"]), st.integers(1, 25), st.integers(0, 9))
@settings(max_examples=60)
def test_the_units_of_one_loop_are_distinct_and_as_many_as_was_said(selection, amount, seed):
    most = {"full": 25, "hidden": 15, "output": 10, "smallest": 15, "layer:0": 6}[selection]
    if amount > most:
        with pytest.raises(ConfigError, match=f"an amount of {amount}, and there are {most} units"):
            Ablation(selection, str(amount)).check_network(MIXED)
        return
    Ablation(selection, str(amount)).check_network(MIXED)
    units = ablate(selection, amount=str(amount), seed=seed)[2]
    assert len(set(units)) == len(units) == amount


@pytest.mark.parametrize(("amount", "units"), [("10%", 2), ("1%", 1), ("100%", 15), ("50%", 8)])
def test_a_percentage_is_of_the_units_that_can_be_chosen_and_at_least_one(amount, units):
    assert len(ablate("hidden", amount=amount)[2]) == units


@pytest.mark.parametrize(
    "text", ["layer", "unit", "layer:x", "unit:1", "unit:0.-1", "layer:1:2", "output:1", "nothing"]
)
def test_a_selection_that_lacks_its_argument_or_takes_none_is_refused(text):
    with pytest.raises(ConfigError):
        Ablation(text).check()
