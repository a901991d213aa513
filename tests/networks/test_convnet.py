"""Small convolutional networks: their notation, their units, and that PyTorch's own modules compute the same."""

import math

import numpy as np
import pytest
import torch

from psa_tui.engine.population import initial_population_row, named_weights
from psa_tui.errors import ConfigError
from psa_tui.method.ablation import zero_unit
from psa_tui.method.dead_units import dead_units
from psa_tui.networks import NETWORKS
from tests.engine.plain_convnet import PlainConvNet

FAMILY = NETWORKS.find("convnet")
SHAPES = [
    ("4,6", (1, 28, 28)),
    ("[2*4, 6]", (3, 32, 32)),
    ("5,4,3,2,2", (1, 8, 8)),
    ("3", (2, 1, 5)),
    ("2*3", (1, 1, 1)),
]


def network(text="4,6", shape=(1, 28, 28), classes=10):
    return FAMILY.parse(text, shape, classes)


def tensors(net, row):
    return {spec.name: spec.view(row[None])[0] for spec in net.tensors}


def used(net, seed=1):
    """Weights as training leaves them: no BatchNorm is the identity any more."""
    row = torch.from_numpy(initial_population_row(net, seed)).double()
    draws = torch.Generator().manual_seed(seed)
    for name, part in tensors(net, row).items():
        if name.startswith("norm"):
            part += 0.5 * torch.rand(part.shape, generator=draws, dtype=part.dtype)
    return row


def images(net, count=6):
    return 2 * torch.randn((count, *net.input_shape), generator=torch.Generator().manual_seed(3), dtype=torch.float64)


@pytest.mark.parametrize(
    ("text", "canonical", "short"),
    [
        ("16,32", "[16, 32]", "[16,32]"),
        (" [ 2*16 , 1*32 ] ", "[2*16, 32]", "[2*16,32]"),
        ("16,16", "[16, 16]", "[16,16]"),
        ("2*16", "[2*16]", "2*16"),
        ("16", "[16]", "16"),
    ],
)
def test_the_notation_is_read_back(text, canonical, short):
    found = network(text)
    assert (str(found), found.short_name) == (canonical, short)
    assert network(canonical) == network(short) == found


@pytest.mark.parametrize(
    ("text", "fault"), [("16,", "expected a number of channels"), ("16x2", "nothing more"), ("0", "starts at 1")]
)
def test_what_is_no_architecture_is_refused_with_an_example(text, fault):
    with pytest.raises(ConfigError, match=rf"{fault}.*write channels like 16,32 or \[2\*16, 32\]"):
        network(text)


def test_numbers_that_are_no_image_are_refused():
    with pytest.raises(ConfigError, match=r"needs images of channels, rows and columns, the data set has \(20,\)"):
        network(shape=(20,))


@pytest.mark.parametrize(("text", "shape"), SHAPES)
def test_sizes_are_those_of_the_tensors_without_making_any(text, shape):
    net = network(text, shape)
    offsets = [spec.offset for spec in net.tensors]
    ends = [spec.offset + spec.size for spec in net.tensors]
    assert [*offsets, net.parameters] == [0, *ends]
    assert net.trained == net.buffers[0].offset
    assert net.input_parameters == net.tensors[0].size
    assert (net.depth, net.hidden_units) == (len(net.unit_counts) - 1, sum(net.unit_counts[:-1]))
    assert len(net.layer_names) == len(net.unit_kinds) == len(net.unit_counts)
    assert math.prod(net.layers[-1].pooled) * net.unit_counts[-2] == net.head_inputs
    assert network("999999999*9", shape).parameters > 1e10


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("text", "shape"), SHAPES)
def test_its_logits_are_those_of_pytorchs_modules_that_load_its_checkpoint(text, shape, training):
    net = network(text, shape, 7)
    row = used(net)
    model = PlainConvNet(net).double()
    model.load_state_dict({name: torch.from_numpy(array) for name, array in named_weights(net, row[None]).items()})
    model.train(training)
    forward = net.train_forward if training else net.forward
    own = tensors(net, row)
    torch.testing.assert_close(forward(own, images(net), None), model(images(net)), rtol=0, atol=1e-12)
    for name, expected in model.state_dict().items():
        if "batches" not in name:
            torch.testing.assert_close(own[name], expected, rtol=0, atol=1e-12)


def test_a_single_image_that_has_shrunk_to_one_pixel_trains_with_the_running_statistics():
    net = network("3,3", (1, 2, 2))
    row = used(net)
    before = row.clone()
    logits = net.train_forward(tensors(net, row), images(net, 1), None)
    assert torch.isfinite(logits).all()
    assert torch.equal(row, before)
    torch.testing.assert_close(logits, net.forward(tensors(net, row), images(net, 1), None))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("layer", [0, 1, 2])
def test_a_zeroed_channel_is_silent_and_no_gradient_reaches_it(layer, training):
    net = network("[2*4, 3]", (2, 9, 8))
    row, whole = used(net), used(net)
    done = zero_unit(row, net, layer, 2)
    parts = net.unit_parameters(layer, 2)
    assert done.incoming == (2, 4, 4)[layer] * 9 + 1
    assert dead_units(row, net) == ((layer, 2),)
    seen = {}

    def record(activations, first_unit):
        seen[first_unit] = activations.detach().clone()
        return activations

    leaf = row.clone().requires_grad_()
    named = {name: view.detach() if "running" in name else view for name, view in tensors(net, leaf).items()}
    forward = net.train_forward if training else net.forward
    forward(named, images(net), record).square().sum().backward()
    assert not seen[(0, 4, 8)[layer]][:, 2].any()
    assert seen[(0, 4, 8)[layer]].any()
    for part in (*parts.incoming, *parts.bias):
        assert not leaf.grad[part].any()
    # Whatever reads the silent channel by is of no account.
    logits = forward(tensors(net, row.clone()), images(net), None)
    for part in parts.outgoing:
        row[part] = 7
    assert torch.equal(forward(tensors(net, row.clone()), images(net), None), logits)
    assert not torch.equal(forward(tensors(net, whole), images(net), None), logits)


def test_every_trained_number_but_the_heads_bias_leads_into_a_unit_and_out_of_one_or_from_the_image():
    net = network("[2*4, 3]", (2, 9, 8), 5)
    into, out = np.zeros(net.parameters, int), np.zeros(net.parameters, int)
    for layer, count in enumerate(net.unit_counts):
        for unit in range(count):
            parts = net.unit_parameters(layer, unit)
            for part in (*parts.incoming, *parts.bias):
                into[part] += 1
            for part in parts.outgoing:
                out[part] += 1
    assert (into[: net.trained] == 1).all()
    assert not into[net.trained :].any()
    reading = [spec for spec in net.tensors if spec.name in ("conv1.weight", "conv2.weight", "head.weight")]
    expected = np.zeros(net.parameters, int)
    for spec in reading:
        expected[spec.offset : spec.offset + spec.size] = 1
    assert (out == expected).all()


@pytest.mark.parametrize("law", ["default", "he", "orthogonal"])
def test_it_begins_as_pytorchs_modules_do(law):
    net = network("16,24", (3, 16, 16))
    named = tensors(net, torch.from_numpy(initial_population_row(net, 5, law)))
    for number in (0, 1):
        assert (named[f"norm{number}.weight"] == 1).all()
        assert (named[f"norm{number}.running_var"] == 1).all()
        assert not named[f"norm{number}.bias"].any()
        assert not named[f"norm{number}.running_mean"].any()
    read = {"conv0.weight": 27, "conv1.weight": 144, "head.weight": 384}
    for name, count in read.items():
        longest = math.sqrt(2 * min(1, count / len(named[name])))
        laws = {"default": 1 / math.sqrt(3), "he": math.sqrt(2), "orthogonal": longest}
        spread = named[name].std().item() * math.sqrt(count)
        assert spread == pytest.approx(laws[law], rel=0.1)
        assert law != "default" or named[name].abs().max() <= 1 / math.sqrt(count)
    assert named["head.bias"].any() == (law == "default")


def test_products_and_activations_are_those_of_its_layers():
    net = network("[2*4, 6]", (3, 32, 32))
    first, second, third = 32 * 32 * 4 * 27, 32 * 32 * 4 * 36, 16 * 16 * 6 * 36
    assert (net.input_products, net.products) == (first, first + second + third + 10 * 8 * 8 * 6)
    assert net.activations == 2 * 32 * 32 * 4 + 16 * 16 * 6
    assert net.meta_loop_operations(3, 2) == 2 * (3 * (3 * net.products - first) + 2 * net.products)
    more = net.training_bytes(256, 60) - net.training_bytes(256)
    assert more == 59 * 6 * 4 * net.parameters, "members train one after another"
