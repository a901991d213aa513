from collections import Counter

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from psa_tui.engine.population import initial_population_row, named_weights, stack
from psa_tui.method.ablation import AblatedUnit, Ablation, Candidate, hidden_count, hidden_unit, zero_unit
from psa_tui.method.randomness import Purpose, generator
from psa_tui.networks import NETWORKS

MIXED = NETWORKS.find("mlp").parse("[2*6, 1*3]", (1, 28, 28), 10)
RULES = ["full", "hidden", "output"]
FIRST_RELEASE = {
    "full": [(3, 3), (2, 0), (3, 7), (3, 4), (1, 0), (0, 4)],
    "hidden": [(1, 5), (1, 2), (2, 2), (2, 1), (0, 5), (0, 3)],
    "output": [(3, 7), (3, 5), (3, 9), (3, 9), (3, 3), (3, 2)],
}


def expected_probabilities(rule):
    """The probability of every (layer, unit), written down from the method's description."""
    widths = [6, 6, 3, 10]
    if rule == "full":
        return {(layer, n): 1 / 4 / width for layer, width in enumerate(widths) for n in range(width)}
    if rule == "hidden":
        return {(layer, n): 1 / 15 for layer, width in enumerate(widths[:3]) for n in range(width)}
    return {(3, n): 1 / 10 for n in range(10)}


@pytest.mark.parametrize("rule", RULES)
def test_the_ablated_unit_is_distributed_as_the_method_says(rule):
    row = np.zeros(MIXED.parameters, dtype=np.float32)
    drawn = Counter()
    for loop in range(2, 10_002):
        (unit,) = Ablation(rule).ablate(Candidate(row, None, None), MIXED, generator(42, loop, Purpose.ABLATION))
        drawn[unit.layer, unit.unit] += 1
    expected = expected_probabilities(rule)
    assert set(drawn) == set(expected)
    observed = [drawn[place] for place in expected]
    assert chisquare(observed, [probability * 10_000 for probability in expected.values()]).pvalue > 1e-3


def test_the_draws_are_those_of_the_first_release():
    """A stored run goes on to the same bits only while these stay."""
    row = np.zeros(MIXED.parameters, dtype=np.float32)
    found = {
        rule: [
            (unit.layer, unit.unit)
            for loop in range(2, 8)
            for unit in Ablation(rule).ablate(
                Candidate(row, None, None), MIXED, generator(1337, loop, Purpose.ABLATION)
            )
        ]
        for rule in RULES
    }
    assert found == FIRST_RELEASE


def as_tensor(row):
    return torch.from_numpy(row.copy())


@pytest.mark.parametrize("kind", [np.copy, as_tensor])
@pytest.mark.parametrize("outgoing", [False, True])
@pytest.mark.parametrize("place", [(0, 4), (1, 0), (2, 2), (3, 0), (3, 9)])
def test_exactly_the_weights_of_the_unit_become_zero(place, outgoing, kind):
    layer, unit = place
    before = initial_population_row(MIXED, 1)
    row = kind(before)

    found = zero_unit(row, MIXED, layer, unit, outgoing=outgoing)

    following = outgoing and layer < 3
    expected = named_weights(MIXED, stack([before], torch.device("cpu")))
    incoming = expected[f"{3 * layer}.weight"].shape[1]
    expected[f"{3 * layer}.weight"][unit, :] = 0
    expected[f"{3 * layer}.bias"][unit] = 0
    if following:
        expected[f"{3 * layer + 3}.weight"][:, unit] = 0
    after = named_weights(MIXED, torch.as_tensor(row)[None])
    assert all(np.array_equal(after[name], expected[name]) for name in expected)
    count = expected[f"{3 * layer + 3}.weight"].shape[0] if following else 0
    assert found == AblatedUnit(layer=layer, unit=unit, incoming=incoming, outgoing=count)


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_zeroes_the_unit_it_names_and_in_hidden_what_leads_out_too(rule):
    row = as_tensor(initial_population_row(MIXED, 1))
    expected = row.clone()
    (unit,) = Ablation(rule).ablate(Candidate(row, None, None), MIXED, generator(1, 2, Purpose.ABLATION))
    assert zero_unit(expected, MIXED, unit.layer, unit.unit, outgoing=rule == "hidden") == unit
    assert torch.equal(row, expected)


def test_hidden_units_are_counted_through_all_hidden_layers():
    assert hidden_count(MIXED) == 15
    assert [hidden_unit(MIXED, number) for number in (0, 5, 6, 11, 12, 14)] == [
        (0, 0),
        (0, 5),
        (1, 0),
        (1, 5),
        (2, 0),
        (2, 2),
    ]
    with pytest.raises(IndexError):
        hidden_unit(MIXED, 15)
