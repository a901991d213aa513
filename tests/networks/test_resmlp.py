"""The families ``resmlp`` and ``resmlp-published`` beside modules that were written without them."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from psa_tui.errors import ConfigError
from psa_tui.method.ablation import hidden_count, zero_unit
from psa_tui.method.dead_units import dead_units
from psa_tui.networks import NETWORKS
from psa_tui.networks.notation import Group
from psa_tui.networks.resmlp import PublishedResMlp, ResMlp
from tests.networks import residual

groups = st.lists(st.builds(Group, st.integers(1, 3), st.integers(1, 6)), min_size=1, max_size=4)
kinds = st.sampled_from([ResMlp, PublishedResMlp])
networks = st.builds(lambda kind, *rest: kind.of_groups(*rest), kinds, groups, st.just((1, 2, 3)), st.integers(2, 4))


def parse(text, family="resmlp", input_shape=(1, 28, 28), classes=10):
    return NETWORKS.find(family).parse(text, input_shape, classes)


def module_of(network):
    widths = [group.width for group in network.groups for _ in range(group.count)]
    return residual.ResMlp([network.inputs, *widths, network.classes]).double().requires_grad_(False)


def row_of(network, module):
    state = module.state_dict()
    return torch.cat([state[tensor.name].flatten() for tensor in network.tensors])


def tensors_of(network, row):
    return {tensor.name: tensor.view(row[None])[0] for tensor in network.tensors}


@settings(max_examples=25)
@given(networks)
def test_tensors_are_those_of_the_modules_and_closed_forms_their_sums(network):
    module = module_of(network)
    expected = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    assert {spec.name: spec.shape for spec in network.tensors} == expected
    assert [layer.outputs for layer in network.layers] == [layer.out_features for layer in module.linears()]
    ends = np.cumsum([spec.size for spec in network.tensors])
    assert [spec.offset for spec in network.tensors] == [0, *ends[:-1]]
    assert network.parameters == ends[-1] == sum(block.parameters for block in network.blocks())
    assert network.hidden_units == hidden_count(network)
    assert network.activations == sum(layer.out_features for layer in module.linears()[:-1])
    assert network.dropped_units == sum(layer.out_features for layer in module[:-1:3])
    assert network.input_parameters == module.linears()[0].weight.numel()
    assert network.depth == sum(len(stack.blocks) for stack in module.stacks)


@settings(max_examples=25)
@given(networks)
def test_logits_are_the_modules(network):
    module, images = module_of(network), torch.randn(5, 1, 2, 3, dtype=torch.float64)
    found = network.forward(tensors_of(network, row_of(network, module)), images, None)
    torch.testing.assert_close(found, module(images.flatten(1)), rtol=0, atol=1e-12)


@settings(max_examples=25)
@given(networks, st.integers(0, 2**31))
def test_a_units_parameters_are_the_rows_and_columns_of_the_modules(network, number):
    units_of, first_hidden = residual.KINDS[network.family]
    module = module_of(network)
    with torch.no_grad():
        for place, tensor in enumerate(module.parameters()):
            tensor.copy_(torch.arange(tensor.numel()).view_as(tensor) + 1000 * (place + 1))
    row = row_of(network, module)
    layers = units_of(module)
    assert list(network.unit_counts) == [units for _, _, units in layers]
    assert list(network.hidden_layers) == list(range(first_hidden, len(layers) - 1))
    layer = number % len(layers)
    unit = number % network.unit_counts[layer]
    writers, readers, _ = layers[layer]
    found = network.unit_parameters(layer, unit)
    numbers = [torch.cat([row[part] for part in parts]) if parts else [] for parts in (found.incoming, found.outgoing)]
    assert list(numbers[0]) == [number for one in writers for number in one.weight[unit]]
    assert [float(row[part]) for part in found.bias] == [float(one.bias[unit]) for one in writers]
    assert list(numbers[1]) == [number for one in readers for number in one.weight[:, unit]]


@pytest.mark.parametrize("text", ["[1*5]", "[2*5, 1*4, 1*5]"])
def test_a_damaged_hidden_unit_of_resmlp_is_silent_and_no_gradient_brings_it_back(text):
    network = parse(text, input_shape=(1, 2, 3), classes=4)
    images, before = torch.randn(50, 1, 2, 3, dtype=torch.float64), row_of(network, module_of(network))
    for place, (layer, unit) in enumerate((k, n) for k in network.hidden_layers for n in range(network.unit_counts[k])):
        row = before.clone()
        zero_unit(row, network, layer, unit)
        assert (layer, unit) in dead_units(row, network)
        seen = torch.zeros(network.hidden_units, dtype=torch.bool)
        leaves = {name: view.requires_grad_() for name, view in tensors_of(network, row).items()}

        def watch(activations, first_unit, seen=seen):
            seen[first_unit : first_unit + activations.shape[1]] |= (activations != 0).any(0)
            return activations

        network.watched_forward(leaves, images, watch).square().sum().backward()
        assert not seen[place]
        gradient = torch.cat([leaves[spec.name].grad.flatten() for spec in network.tensors])
        own = network.unit_parameters(layer, unit)
        assert not any(gradient[part].any() for part in (*own.incoming, *own.bias))


def test_a_damaged_outer_neuron_of_the_published_rule_passes_on_what_the_skip_brings():
    network = parse("[2*5]", "resmlp-published", (1, 2, 3), 4)
    module, images = module_of(network), torch.rand(50, 6, dtype=torch.float64)
    module.stacks[0].transition.bias[3] = 9
    row = row_of(network, module)
    zero_unit(row, network, 2, 3)
    module.load_state_dict(tensors_of(network, row))
    stack = module.stacks[0]
    brought = torch.relu(stack.transition(images))
    assert torch.equal(stack.blocks[0](brought)[:, 3], brought[:, 3])
    assert brought[:, 3].any()


def test_layers_have_names_that_say_where_they_are():
    assert parse("[2*5]").layer_names == ("stream", "block 0 inner", "block 1 inner", "output")
    assert parse("[1*5, 1*4]").layer_names[2:] == ("stack 1 stream", "stack 1 block 0 inner", "output")
    assert parse("[1*5]", "resmlp-published").layer_names == ("transition", "block 0 inner", "block 0 outer", "output")
    assert parse("[1*784]", "resmlp-published").layer_names == ("block 0 inner", "block 0 outer", "output")


def test_sizes_are_the_published_ones_and_cost_nothing_however_large():
    assert parse("1*2048").parameters == 10_020_874
    assert parse("999999999*9").depth == 999_999_999
    assert parse("[999999999*9]", "resmlp-published").hidden_units == 2 * 9 * 999_999_999
    assert parse("[1*2, 1*2, 1*3]") == parse("[2*2, 1*3]") != parse("[2*2, 1*3]", "resmlp-published")
    assert parse("8*8").short_name == "8*8"
    with pytest.raises(ConfigError, match="expected"):
        parse("8x8x")


@pytest.mark.parametrize("law", ["default", "he", "orthogonal"])
def test_every_law_of_initialisation_draws_each_layer(law):
    network = parse("[2*5, 1*4]")
    row = network.initial_weights_of(law, np.random.default_rng(1))
    assert row.shape == (network.parameters,)
    assert all(tensor.view(row[None]).any() for tensor in network.tensors if tensor.name.endswith("weight"))


def test_a_first_layer_that_no_hidden_unit_is_drawn_from_can_be_dead():
    network = parse("[1*5]", "resmlp-published", (1, 2, 3), 4)
    row = row_of(network, module_of(network))
    zero_unit(row, network, 0, 2)
    zero_unit(row, network, 3, 1)
    assert dead_units(row, network) == ((0, 2),)
