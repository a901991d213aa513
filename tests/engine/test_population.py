import itertools

import numpy as np
import pytest
import torch

from psa_tui.engine.population import flat_weights, initial_population_row, named_weights, stack
from tests.engine.trials import CPU, mlp

MIXED = mlp("[2*5, 1*3]")


def sequential(network):
    widths = [784, *network.hidden_widths()]
    modules = []
    for inputs, outputs in itertools.pairwise(widths):
        modules += [torch.nn.Linear(inputs, outputs), torch.nn.ReLU(), torch.nn.Dropout(0.1)]
    return torch.nn.Sequential(*modules, torch.nn.Linear(widths[-1], 10))


def test_named_weights_are_those_of_the_equivalent_sequential():
    named = named_weights(MIXED, stack([initial_population_row(MIXED, 3)], CPU))
    reference = sequential(MIXED).state_dict()
    assert {name: array.shape for name, array in named.items()} == {n: tuple(t.shape) for n, t in reference.items()}


def test_named_weights_are_copies():
    population = stack([initial_population_row(MIXED, 3)], CPU)
    before = population.clone()
    named_weights(MIXED, population)["0.weight"][:] = 7
    assert torch.equal(population, before)


def test_flat_weights_invert_named_weights_for_every_member():
    rows = [initial_population_row(MIXED, seed) for seed in (1, 2, 3)]
    population = stack(rows, CPU)
    for member, row in enumerate(rows):
        found = flat_weights(MIXED, named_weights(MIXED, population, member))
        assert np.array_equal(found, row)
        assert (found.dtype, found.shape) == (np.float32, (MIXED.parameters,))


def test_flat_weights_refuse_a_missing_tensor_and_another_shape():
    named = named_weights(MIXED, stack([initial_population_row(MIXED, 3)], CPU))
    with pytest.raises(ValueError, match="expected shape"):
        flat_weights(MIXED, {**named, "0.weight": named["0.weight"].T})
    del named["9.bias"]
    with pytest.raises(KeyError):
        flat_weights(MIXED, named)


def test_a_seed_has_one_initialisation_of_its_own():
    assert np.array_equal(initial_population_row(MIXED, 3), initial_population_row(MIXED, 3))
    assert not np.array_equal(initial_population_row(MIXED, 3), initial_population_row(MIXED, 4))


def test_initial_weights_are_distributed_like_pytorchs_linear():
    network = mlp("[1*512, 1*64]")
    torch.manual_seed(0)
    flat = torch.from_numpy(initial_population_row(network, 0))[None]
    for layer in network.layers:
        reference = torch.nn.Linear(layer.inputs, layer.outputs)
        for ours, theirs in ((layer.weight(flat), reference.weight), (layer.bias(flat), reference.bias)):
            bound = layer.inputs**-0.5
            assert ours.abs().max() <= bound
            assert theirs.abs().max() <= bound
            if ours.numel() > 1000:
                assert ours.abs().max() > 0.99 * bound
                assert abs(ours.mean()) < 5 * bound / (3 * ours.numel()) ** 0.5
                assert ours.std().item() == pytest.approx(bound / 3**0.5, rel=0.05)
