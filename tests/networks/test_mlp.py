import itertools
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from psa_tui.method.ablation import hidden_count, hidden_unit
from psa_tui.networks import NETWORKS
from psa_tui.networks.mlp import Mlp
from psa_tui.networks.notation import Group

small_groups = st.lists(st.builds(Group, st.integers(1, 4), st.integers(1, 9)), min_size=1, max_size=4)
small_networks = st.builds(
    Mlp.of_groups, small_groups, st.sampled_from([(1, 28, 28), (3, 2, 4), (5,)]), st.integers(2, 12)
)


def parse(text, input_shape=(1, 28, 28), classes=10):
    return NETWORKS.find("mlp").parse(text, input_shape, classes)


def widths_of(network):
    hidden = [group.width for group in network.groups for _ in range(group.count)]
    return [int(np.prod(network.input_shape)), *hidden, network.classes]


def module_of(network):
    """The same network as PyTorch's own modules."""
    parts = []
    for inputs, outputs in itertools.pairwise(widths_of(network)):
        parts += [torch.nn.Linear(inputs, outputs), torch.nn.ReLU(), torch.nn.Dropout(0.1)]
    return torch.nn.Sequential(*parts[:-2]).double()


@given(small_networks)
def test_closed_form_sizes_equal_a_sum_over_the_layers(network):
    widths = widths_of(network)
    assert network.parameters == sum(i * o + o for i, o in itertools.pairwise(widths))
    assert network.depth == len(widths) - 2
    assert network.hidden_units == sum(widths[1:-1]) == hidden_count(network)
    assert network.width == pytest.approx(np.mean(widths[1:-1]))
    assert network.input_parameters == widths[0] * widths[1]
    assert list(network.unit_counts) == widths[1:]
    assert sum(block.parameters for block in network.blocks()) == network.parameters
    assert [(block.name, block.units) for block in network.blocks()] == [
        *((f"{group.count} hidden", group.width) for group in network.groups),
        ("output", network.classes),
    ]


@given(small_networks)
def test_tensors_are_those_of_the_sequential_module_and_tile_a_row_without_gaps(network):
    expected = {name: tuple(tensor.shape) for name, tensor in module_of(network).state_dict().items()}
    assert {spec.name: spec.shape for spec in network.tensors} == expected
    assert [spec.name for spec in network.tensors] == list(expected)
    end = 0
    for spec in network.tensors:
        assert spec.offset == end
        end += spec.size
    assert end == network.parameters


@given(small_networks, st.integers(0, 1000), st.integers(0, 2**31))
def test_a_units_parameters_are_its_row_its_bias_and_its_column_of_the_next_layer(network, number, seed):
    """Written into a row of numbers that name their own place, and read off the tensors."""
    layer = number % len(network.unit_counts)
    unit = seed % network.unit_counts[layer]
    row = torch.arange(network.parameters)[None]
    tensors = {spec.name: spec.view(row)[0] for spec in network.tensors}
    found = network.unit_parameters(layer, unit)

    def indices(slices):
        return np.concatenate([np.arange(network.parameters)[part] for part in slices]).tolist() if slices else []

    assert indices(found.incoming) == tensors[f"{3 * layer}.weight"][unit].tolist()
    assert indices(found.bias) == [tensors[f"{3 * layer}.bias"][unit]]
    following = tensors.get(f"{3 * layer + 3}.weight")
    assert indices(found.outgoing) == ([] if following is None else following[:, unit].tolist())


def test_hidden_units_are_counted_through_all_hidden_layers():
    network = parse("[2*3, 1*2]")
    assert [hidden_unit(network, number) for number in range(8)] == [
        *[(0, 0), (0, 1), (0, 2)],
        *[(1, 0), (1, 1), (1, 2)],
        *[(2, 0), (2, 1)],
    ]
    with pytest.raises(IndexError):
        hidden_unit(network, 8)


@settings(max_examples=30)
@given(small_networks, st.integers(0, 2**31))
def test_logits_are_those_of_the_sequential_module(network, seed):
    generator = torch.Generator().manual_seed(seed)
    row = torch.randn(1, network.parameters, generator=generator, dtype=torch.float64)
    images = torch.randn(7, *network.input_shape, generator=generator, dtype=torch.float64)
    tensors = {spec.name: spec.view(row)[0] for spec in network.tensors}
    module = module_of(network).eval()
    module.load_state_dict(tensors)
    torch.testing.assert_close(network.forward(tensors, images, None), module(images.flatten(1)), rtol=1e-9, atol=1e-12)


def test_dropout_is_asked_after_every_hidden_activation_with_the_number_of_its_first_unit():
    network = parse("[2*3, 1*2]", (1, 2, 2), 4)
    row = torch.rand(1, network.parameters)
    asked = []

    def mask(activations, first_unit):
        asked.append((first_unit, tuple(activations.shape)))
        return torch.zeros_like(activations)

    tensors = {spec.name: spec.view(row)[0] for spec in network.tensors}
    logits = network.forward(tensors, torch.rand(5, 1, 2, 2), mask)
    assert asked == [(0, (5, 3)), (3, (5, 3)), (6, (5, 2))]
    assert torch.equal(logits, tensors["9.bias"].expand(5, 4))


def test_initial_weights_are_uniform_on_the_bounds_of_each_layer():
    network = parse("[1*64, 1*50]")
    flat = network.initial_weights(np.random.default_rng(3))
    assert (flat.dtype, flat.shape) == (np.dtype("f4"), (network.parameters,))
    for spec in network.tensors:
        bound = 1 / np.sqrt({"0": 784, "3": 64, "6": 50}[spec.name.partition(".")[0]])
        values = spec.view(flat[None])[0]
        assert np.abs(values).max() <= bound * (1 + 1e-6)
        if spec.size > 400:
            assert np.abs(values).max() > 0.97 * bound
            assert np.std(values) == pytest.approx(bound / np.sqrt(3), rel=0.05)
    assert np.array_equal(flat, network.initial_weights(np.random.default_rng(3)))


@pytest.mark.parametrize(("text", "parameters"), [("[1*2048]", 1628170), ("[18*18]", 20134), ("[2048*1]", 4899)])
def test_parameter_counts_are_the_published_ones(text, parameters):
    layers, width = (int(n) for n in text.strip("[]").split("*"))
    assert parameters == 784 * width + width + (layers - 1) * (width**2 + width) + 10 * width + 10
    assert parse(text).parameters == parameters


def test_asking_for_the_sizes_of_a_gigantic_network_costs_nothing():
    started = time.perf_counter()
    network = parse("[999999999*9]")
    assert network.parameters == 784 * 9 + 9 + 999_999_998 * 90 + 9 * 10 + 10
    assert (network.depth, network.hidden_units, network.width) == (999_999_999, 8_999_999_991, 9)
    assert network.training_bytes(256) > 10**12
    assert network.meta_loop_operations(50_000, 10_000) > 10**15
    assert [block.name for block in network.blocks()] == ["999999999 hidden", "output"]
    assert (str(network), network.short_name) == ("[999999999*9]", "999999999*9")
    assert time.perf_counter() - started < 0.1


def test_the_memory_need_grows_with_parameters_batch_and_members():
    network = parse("[1*1024]")
    assert network.training_bytes(256) >= 6 * 4 * network.parameters
    assert network.training_bytes(5000) > network.training_bytes(256)
    assert network.training_bytes(256, members=10) - network.training_bytes(256) > 9 * 6 * 4 * network.parameters


def test_a_meta_loop_does_a_forward_pass_and_two_backward_products_but_never_a_gradient_of_the_pixels():
    # Weights and biases: 784 to 4, 4 to 3, 3 to 10.
    first, second, head = 784 * 4 + 4, 4 * 3 + 3, 3 * 10 + 10
    training = 2 * (first + second + head) + 2 * (first + second + head) + 2 * (4 + second + head)
    evaluation = 2 * (first + second + head)
    operations = parse("[1*4, 1*3]").meta_loop_operations(50_000, 10_000)
    assert operations == 50_000 * training + 10_000 * evaluation
    fewer = parse("[1*4, 1*3]").meta_loop_operations(50_000, 10_000, pixels=600)
    assert operations - fewer == 50_000 * 2 * 2 * 4 * 184


def test_describing_networks_imports_neither_torch_nor_numpy():
    code = (
        "import sys; from psa_tui.networks import NETWORKS; "
        "NETWORKS.find('mlp').parse('[2*4]', (1, 28, 28), 10).blocks(); "
        "print(sorted({'torch', 'numpy'} & set(sys.modules)))"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed == "[]\n"
