from collections import Counter

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from psa_tui.engine.population import initial_weights, layout, named_weights, stack
from psa_tui.method.ablation import Target, ablate, choose
from psa_tui.method.variants import AblationMode
from psa_tui.networks.mlp import parse_architecture

MIXED = layout(parse_architecture("[2*6, 1*3]"))
ABLATIVE = [mode for mode in AblationMode if mode.ablates]


def expected_shares(mode):
    """The probability of every (layer, neuron), written down from the method's description."""
    widths = [6, 6, 3, 10]
    if mode is AblationMode.FULL:
        return {(layer, n): 1 / 4 / width for layer, width in enumerate(widths) for n in range(width)}
    if mode is AblationMode.HIDDEN:
        return {(layer, n): 1 / 15 for layer, width in enumerate(widths[:3]) for n in range(width)}
    return {(3, n): 1 / 10 for n in range(10)}


@pytest.mark.parametrize("mode", ABLATIVE)
def test_the_ablated_neuron_is_distributed_as_the_method_says(mode):
    draws = Counter()
    for loop in range(2, 10_002):
        target = choose(mode, MIXED, 42, loop)
        draws[target.layer, target.neuron] += 1
    shares = expected_shares(mode)
    assert set(draws) == set(shares)
    observed = [draws[place] for place in shares]
    assert chisquare(observed, [share * 10_000 for share in shares.values()]).pvalue > 1e-3


HIDDEN_PLACES = [(0, 4), (1, 0), (2, 2)]
OUTPUT_PLACES = [(3, 0), (3, 9)]


@pytest.mark.parametrize(
    ("mode", "place"),
    [(AblationMode.FULL, place) for place in HIDDEN_PLACES + OUTPUT_PLACES]
    + [(AblationMode.HIDDEN, place) for place in HIDDEN_PLACES]
    + [(AblationMode.OUTPUT, place) for place in OUTPUT_PLACES],
)
def test_exactly_the_weights_the_mode_names_become_zero(mode, place):
    layer, neuron = place
    rows = [initial_weights(MIXED, seed) for seed in (1, 2)]
    flat = stack(rows, torch.device("cpu"))
    before = [named_weights(MIXED, flat, member) for member in (0, 1)]

    incoming, outgoing = ablate(flat, 1, mode, MIXED, Target(layer, neuron))

    expected = {name: array.copy() for name, array in before[1].items()}
    expected[f"{3 * layer}.weight"][neuron, :] = 0
    expected[f"{3 * layer}.bias"][neuron] = 0
    if mode is AblationMode.HIDDEN:
        expected[f"{3 * layer + 3}.weight"][:, neuron] = 0
    after = named_weights(MIXED, flat, 1)
    assert all(np.array_equal(after[name], expected[name]) for name in expected)
    assert all(np.array_equal(named_weights(MIXED, flat, 0)[n], before[0][n]) for n in expected)
    assert incoming == before[1][f"{3 * layer}.weight"].shape[1]
    assert outgoing == (before[1][f"{3 * layer + 3}.weight"].shape[0] if mode is AblationMode.HIDDEN else 0)


@pytest.mark.parametrize("mode", [mode for mode in AblationMode if not mode.ablates])
def test_a_mode_that_does_not_ablate_chooses_nothing(mode):
    with pytest.raises(ValueError, match="ablates nothing"):
        choose(mode, MIXED, 1, 2)
