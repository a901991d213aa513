import itertools

import numpy as np
import pytest
import torch

from psa_tui.engine.population import flat_weights, initial_weights, layout, named_weights, stack
from psa_tui.networks.mlp import parse_architecture

MIXED = parse_architecture("[2*5, 1*3]")


def sequential(architecture):
    widths = [784, *architecture.hidden_widths()]
    modules = []
    for inputs, outputs in itertools.pairwise(widths):
        modules += [torch.nn.Linear(inputs, outputs), torch.nn.ReLU(), torch.nn.Dropout(0.1)]
    return torch.nn.Sequential(*modules, torch.nn.Linear(widths[-1], 10))


def test_named_weights_are_those_of_the_equivalent_sequential():
    layers = layout(MIXED)
    named = named_weights(layers, stack([initial_weights(layers, 3)], torch.device("cpu")))
    reference = sequential(MIXED).state_dict()
    assert {name: array.shape for name, array in named.items()} == {n: tuple(t.shape) for n, t in reference.items()}
    assert layers[-1].end == MIXED.parameters


def test_flat_weights_invert_named_weights_for_every_member():
    layers = layout(MIXED)
    rows = [initial_weights(layers, seed) for seed in (1, 2, 3)]
    population = stack(rows, torch.device("cpu"))
    for member, row in enumerate(rows):
        assert np.array_equal(flat_weights(layers, named_weights(layers, population, member)), row)


def test_flat_weights_refuse_a_missing_tensor_and_another_shape():
    layers = layout(MIXED)
    named = named_weights(layers, stack([initial_weights(layers, 3)], torch.device("cpu")))
    with pytest.raises(ValueError, match="expected shape"):
        flat_weights(layers, {**named, "0.weight": named["0.weight"].T})
    del named["9.bias"]
    with pytest.raises(KeyError):
        flat_weights(layers, named)


def test_initial_weights_are_distributed_like_pytorchs_linear():
    layers = layout(parse_architecture("[1*512, 1*64]"))
    torch.manual_seed(0)
    flat = torch.from_numpy(initial_weights(layers, 0))[None]
    for layer in layers:
        reference = torch.nn.Linear(layer.inputs, layer.outputs)
        for ours, theirs in ((layer.weight(flat), reference.weight), (layer.bias(flat), reference.bias)):
            bound = layer.inputs**-0.5
            assert ours.abs().max() <= bound
            assert theirs.abs().max() <= bound
            if ours.numel() > 1000:
                assert ours.abs().max() > 0.99 * bound
                assert abs(ours.mean()) < 5 * bound / (3 * ours.numel()) ** 0.5
                assert ours.std().item() == pytest.approx(bound / 3**0.5, rel=0.05)
