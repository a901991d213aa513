"""What ``psa.units`` finds in modules, tried number by number; and what it refuses."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.func import functional_call
from torch.nn import functional as F

import psa_tui as psa
from psa_tui.errors import ConfigError


class BasicBlock(nn.Module):
    """As in ResNet: two convolutions beside the identity, or a projection."""

    def __init__(self, inputs, outputs, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = None
        if stride > 1:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, inputs):
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(inputs)))))
        out += inputs if self.downsample is None else self.downsample(inputs)
        return self.relu(out)


class Attention(nn.Module):
    """Written by hand, with one layer for queries, keys and values, or one for each."""

    def __init__(self, fused, one_call):
        super().__init__()
        self.fused, self.one_call = fused, one_call
        self.rows = nn.ModuleList([nn.Linear(8, 24)] if fused else [nn.Linear(8, 8) for _ in range(3)])
        self.out = nn.Linear(8, 8)
        self.head = nn.Linear(8, 3)

    def forward(self, inputs):
        batch, length, _ = inputs.shape
        if self.fused:
            q, k, v = self.rows[0](inputs).reshape(batch, length, 3, 4, 2).permute(2, 0, 3, 1, 4)
        else:
            q, k, v = (row(inputs).view(batch, length, 4, 2).transpose(1, 2) for row in self.rows)
        if self.one_call:
            seen = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            past = torch.ones(length, length, dtype=torch.bool).tril()
            seen = ((q @ k.transpose(-2, -1)) / 2**0.5).masked_fill(~past, float("-inf")).softmax(-1) @ v
        return self.head((inputs + self.out(seen.transpose(1, 2).flatten(2))).mean(1))


class Gated(nn.Module):
    """SwiGLU: two layers meet in a product, and their neurons are one."""

    def __init__(self):
        super().__init__()
        self.up, self.gate, self.down = nn.Linear(4, 6), nn.Linear(4, 6), nn.Linear(6, 3)

    def forward(self, inputs):
        return self.down(F.silu(self.gate(inputs)) * self.up(inputs))


class TwoInputs(nn.Module):
    """Joins two branches, one of them with numbers that nobody computes."""

    def __init__(self):
        super().__init__()
        self.left, self.right = nn.Linear(3, 4), nn.Linear(2, 5)
        self.last = nn.Linear(4 + 5 + 2, 3)

    def forward(self, left, right):
        return self.last(torch.cat([self.left(left).relu(), right, self.right(right).tanh()], dim=1))


def mlp():
    return nn.Sequential(
        nn.Flatten(), nn.Linear(12, 5), nn.ReLU(), nn.Dropout(), nn.Linear(5, 4), nn.GELU(), nn.Linear(4, 3)
    )


def convnet():
    return nn.Sequential(
        *(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.MaxPool2d(2)),
        *(nn.Conv2d(4, 6, 2), nn.BatchNorm2d(6), nn.GELU(), nn.AvgPool2d(2, padding=1), nn.Flatten(), nn.Dropout()),
        *(nn.Linear(24, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 3), nn.LogSoftmax(-1)),
    )


def resnet():
    return nn.Sequential(
        *(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True)),
        *(BasicBlock(4, 4), BasicBlock(4, 8, 2), BasicBlock(8, 8)),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3)),
    )


def transformer():
    return nn.Sequential(
        nn.Linear(6, 8),
        nn.TransformerEncoderLayer(8, 2, 16, batch_first=True),
        nn.TransformerEncoderLayer(8, 4, 12, batch_first=True, norm_first=True, activation="gelu"),
        nn.Linear(8, 3),
    )


def normalised():
    return nn.Sequential(
        *(nn.Linear(6, 4), nn.LayerNorm(4), nn.SiLU(), nn.Linear(4, 6), nn.RMSNorm(6), nn.ReLU()),
        *(nn.Linear(6, 8), nn.GroupNorm(2, 8), nn.ReLU(), nn.Linear(8, 3)),
    )


IMAGES, VECTORS, SEQUENCE = torch.Size([2, 3, 8, 8]), torch.Size([2, 6]), torch.Size([2, 5, 8])
MODULES = {
    "mlp": (mlp, [(2, 3, 4)], {"1": ("neuron", 5), "4": ("neuron", 4), "6": ("output", 3)}),
    "convnet": (
        convnet,
        [IMAGES],
        {"0": ("channel", 4), "4": ("channel", 6), "10": ("neuron", 4), "13": ("output", 3)},
    ),
    "resnet": (
        resnet,
        [IMAGES],
        {
            **{"3.conv1": ("channel", 4), "blocks": ("block", 3), "4.conv1": ("channel", 8), "5.conv1": ("channel", 8)},
            "8": ("output", 3),
        },
    ),
    "transformer": (
        transformer,
        [(2, 5, 6)],
        {
            **{"1.self_attn": ("head", 2), "blocks": ("block", 4), "1.linear1": ("neuron", 16)},
            **{"2.self_attn": ("head", 4), "2.linear1": ("neuron", 12), "3": ("output", 3)},
        },
    ),
    "normalised": (
        normalised,
        [VECTORS],
        {"0": ("neuron", 4), "3": ("neuron", 6), "6": ("neuron", 8), "9": ("output", 3)},
    ),
    "fused attention": (
        lambda: Attention(True, False),
        [SEQUENCE],
        {"rows.0": ("head", 4), "blocks": ("block", 1), "head": ("output", 3)},
    ),
    "attention": (
        lambda: Attention(False, False),
        [SEQUENCE],
        {"rows.0+rows.1+rows.2": ("head", 4), "blocks": ("block", 1), "head": ("output", 3)},
    ),
    "attention in one call": (
        lambda: Attention(True, True),
        [SEQUENCE],
        {"rows.0": ("head", 4), "blocks": ("block", 1), "head": ("output", 3)},
    ),
    "gated": (Gated, [(2, 4)], {"gate+up": ("neuron", 6), "down": ("output", 3)}),
    "two inputs": (
        TwoInputs,
        [(2, 3), (2, 2)],
        {"left": ("neuron", 4), "right": ("neuron", 5), "last": ("output", 3)},
    ),
}
THROUGH_A_MEAN = {"normalised": ("0", "3", "6")}
"""Layers whose neurons take part in the statistics that their neighbours are divided by."""


def made(name):
    """A module in evaluation mode with numbers that are all their own, and its example: float64."""
    build, shapes, expected = MODULES[name]
    torch.manual_seed(0)
    model = build().double()
    for tensor in [*model.parameters(), *(one for one in model.buffers() if one.is_floating_point())]:
        tensor.data += torch.rand(tensor.shape, dtype=torch.float64)
    return model.eval(), tuple(torch.randn(shape, dtype=torch.float64) for shape in shapes), expected


@pytest.mark.parametrize("name", MODULES)
def test_units_are_found_by_layer_in_order_of_computation(name):
    model, inputs, expected = made(name)
    found = psa.units(model, example_input=inputs)
    layers = {}
    for unit in found:
        layers.setdefault(unit.layer, []).append(unit.kind)
    assert {layer: (kinds[0], len(kinds)) for layer, kinds in layers.items()} == expected
    assert [*layers][-1] == [*expected][-1]
    assert len({unit.name for unit in found}) == len(found)


def outputs(model, inputs, *, zero=(), random=()):
    """What the module returns with some places zero, and others random."""
    parameters = {name: one.detach().clone() for name, one in model.named_parameters()}
    for places, change in ((random, lambda part: part.normal_()), (zero, lambda part: part.zero_())):
        for place in places:
            change(parameters[place.parameter].select(place.dimension, place.index))
    return functional_call(model, parameters, inputs)


@pytest.mark.parametrize("name", MODULES)
def test_a_unit_whose_incoming_numbers_are_zero_is_read_by_nobody_to_any_effect(name):
    model, inputs, _ = made(name)
    plain, alive = outputs(model, inputs), set()
    found = psa.units(model, example_input=inputs)
    for unit in found:
        silent = outputs(model, inputs, zero=unit.incoming)
        assert torch.equal(silent, outputs(model, inputs, zero=unit.incoming, random=unit.outgoing))
        if not torch.equal(silent, plain):
            alive.add(unit.layer)
        if unit.kind not in ("output", "block") and torch.equal(plain, outputs(model, inputs, random=unit.outgoing)):
            # A ReLU may be zero on all examples; nothing else is without an effect.
            assert unit.outgoing
            assert torch.equal(silent, plain) or unit.layer in THROUGH_A_MEAN.get(name, ())
    assert alive == {unit.layer for unit in found}


@pytest.mark.parametrize("name", MODULES)
def test_a_unit_whose_outgoing_numbers_are_zero_may_be_anything(name):
    model, inputs, _ = made(name)
    for unit in psa.units(model, example_input=inputs):
        if unit.kind in ("output", "block") or unit.layer in THROUGH_A_MEAN.get(name, ()):
            continue
        unread = outputs(model, inputs, zero=unit.outgoing)
        assert torch.equal(unread, outputs(model, inputs, zero=unit.outgoing, random=unit.incoming))


def test_a_residual_block_at_zero_passes_its_input_on():
    model, inputs, _ = made("resnet")
    blocks = [unit for unit in psa.units(model, example_input=inputs) if unit.kind == "block"]
    assert [unit.name for unit in blocks] == [f"blocks[{block}.conv2]" for block in (3, 4, 5)]
    without = copy.deepcopy(model)
    without[3] = nn.ReLU()
    assert torch.equal(outputs(model, inputs, zero=blocks[0].incoming), without(*inputs))


def test_the_module_is_left_as_it_was():
    model, inputs, _ = made("convnet")
    model.train()
    model[1].eval()
    modes = [part.training for part in model.modules()]
    before = copy.deepcopy(model.state_dict())
    torch.manual_seed(5)
    psa.units(model, example_input=inputs)
    assert torch.initial_seed() == 5
    assert modes == [part.training for part in model.modules()]
    assert all(torch.equal(before[name], one) for name, one in model.state_dict().items())
    assert not any(part._forward_pre_hooks for part in model.modules())


class Calls(nn.Module):
    """Linear layers a, b and c of width 4, in a forward pass of one's own."""

    def __init__(self, forward):
        super().__init__()
        self.a, self.b, self.c = (nn.Linear(4, 4) for _ in range(3))
        self.run = forward

    def forward(self, inputs):
        return self.run(self, inputs)


def doubled(inputs):
    """Something that is not seen, as what a compiled or a scripted function does is not."""
    with torch._C.DisableTorchFunction():
        return 2 * inputs


def looks_at_its_numbers(net, inputs):
    hidden = net.b(net.a(inputs).relu()).relu()
    return net.c(hidden if hidden.sum() > 0 else -hidden)


REFUSED = {
    "tied autoencoder": (
        lambda net, x: F.linear(net.b(net.a(x).relu()).relu(), net.a.weight.t()),
        {"a": "tied weights: a.weight is used more than once", "b": "reads it by numbers that are no parameter"},
    ),
    "a module called twice": (
        lambda net, x: net.c(net.a(net.a(x).relu()).relu()),
        {"a": "a.weight is used more than once"},
    ),
    "a stream with two writers": (
        lambda net, x: net.c(net.a(x) + net.b(x)),
        {"a": "several layers write to one residual stream", "b": "several layers write"},
    ),
    "one added to its input": (lambda net, x: net.c(x + net.b(net.a(x).relu())), {"b": "it is added to something"}),
    "an activation that is not zero at zero": (
        lambda net, x: net.c(net.b(torch.sigmoid(net.a(x))).relu()),
        {"a": "sigmoid makes of zero something else"},
    ),
    "a function that is not known": (
        lambda net, x: net.c(net.b(torch.cumsum(net.a(x), 1)).relu()),
        {"a": "cumsum: what it does to units is not known"},
    ),
    "neurons mixed by a softmax": (lambda net, x: net.c(net.b(net.a(x)).softmax(-1)), {"b": "softmax"}),
    "numbers read in Python": (looks_at_its_numbers, {"b": "sum: what it does to units is not known"}),
    "a function that is not seen": (
        lambda net, x: net.c(net.b(doubled(net.a(x))).relu()),
        {"a": "nothing that could be followed reads it"},
    ),
    "one seen beside one that is not": (
        lambda net, x: net.c(
            (lambda seen: torch.cat([net.b(seen).relu()[:, :2], doubled(seen)[:, :2]], 1))(net.a(x).relu())
        ),
        {"a": "its units do not behave so on the example"},
    ),
    "computed weights": (
        lambda net, x: net.c(F.linear(net.a(x).relu(), net.b.weight * 2).relu()),
        {"a": "reads it by numbers that are no parameter"},
    ),
    "one that writes where others look": (
        lambda net, x: net.c((lambda seen: net.b(seen) + (seen.view(-1).add_(1), seen)[1])(net.a(x))),
        {"a": "add_ writes into a tensor that others look at"},
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_sure_is_refused_with_the_reason_and_never_a_unit(name):
    forward, expected = REFUSED[name]
    torch.manual_seed(0)
    model, inputs = Calls(forward), torch.randn(2, 4)
    with pytest.raises(ConfigError) as error:
        psa.units(model, inputs, strict=True)
    for layer, reason in expected.items():
        (told,) = (line for line in error.value.detail.splitlines() if line.startswith(f"{layer} ("))
        assert reason in told
    try:
        found = psa.units(model, inputs)
    except ConfigError:
        return
    touched = {place.parameter for unit in found if unit.kind != "block" for place in unit.incoming}
    assert not touched & {f"{layer}.weight" for layer in expected}
    assert all(f"refused: {layer} (4): " in repr(found) for layer in expected)


def test_grouped_convolutions_are_refused_with_what_they_read():
    model = nn.Sequential(
        *(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3, groups=4), nn.ReLU()),
        *(nn.Conv2d(4, 5, 1), nn.ReLU(), nn.Flatten(), nn.Linear(80, 2)),
    )
    found = psa.units(model, torch.randn(IMAGES))
    assert {unit.layer for unit in found} == {"4", "7"}
    assert [one.layer for one in found.refused] == ["0", "2"]


def test_a_module_of_tied_weights_only_is_an_error_that_names_them():
    model = Calls(lambda net, x: F.linear(net.a(x).relu(), net.a.weight.t()))
    with pytest.raises(ConfigError, match="no others are left") as error:
        psa.units(model, torch.randn(2, 4))
    assert "a (4): tied weights: a.weight is used more than once" in error.value.detail


def test_two_names_of_one_parameter_are_tied_even_where_one_is_not_used():
    model = Calls(lambda net, x: net.c(net.b(x).relu()))
    model.a.weight = model.b.weight
    found = psa.units(model, torch.randn(2, 4))
    assert [unit.kind for unit in found] == ["output"] * 4
    assert "tied weights: a.weight is b.weight" in repr(found)


def test_a_module_that_cannot_be_run_on_the_example_is_an_error_in_a_line():
    with pytest.raises(ConfigError, match="cannot be run on the example"):
        psa.units(mlp(), torch.randn(2, 5))


def test_the_list_is_a_table_and_takes_units_of_ones_own():
    model, inputs, _ = made("convnet")
    found = psa.units(model, example_input=inputs)
    assert repr(found).splitlines() == [
        "17 units",
        "layer  kind     units  in  out",
        "0      channel      4   4    1",
        "4      channel      6   4    4",
        "10     neuron       4   4    1",
        "13     output       3   2    0",
    ]
    mine = psa.Unit("stem", "mine", "stem", (psa.Place("0.bias", 0, 1),))
    assert len([*(unit for unit in found if unit.kind == "channel"), mine]) == 11
