"""Meta-loops of residual networks beside the sixty-line example's, which trains modules written for that alone."""

from functools import partial

import pytest
import torch

from examples import psa_in_60_lines
from psa_tui.engine.activity import hidden_activations
from psa_tui.engine.backend import BACKENDS, choose_backend
from psa_tui.method.variants import PUBLISHED, find_variant
from psa_tui.networks import NETWORKS
from tests.engine import comparison, oracle
from tests.engine.trials import INPUT_SHAPE, end_of, prepare
from tests.networks import residual

pytestmark = pytest.mark.slow

NAMES = ["module", "numba", "torch"]


def parse(text, family):
    return NETWORKS.find(family).parse(text, INPUT_SHAPE, 10)


@pytest.mark.parametrize("backend", NAMES)
@pytest.mark.parametrize("family", residual.KINDS)
def test_every_variant_is_the_sixty_line_example(family, backend, monkeypatch, train_images, validation_images):
    network = parse("[2*6, 1*5]", family)
    monkeypatch.setattr(psa_in_60_lines, "network", residual.network)
    monkeypatch.setattr(psa_in_60_lines, "ablate", partial(residual.ablate, family))
    comparison.assert_every_variant_is_the_example(network, 4, train_images, validation_images, backend)


def test_hidden_activations_are_those_of_the_modules_in_the_order_of_the_units(train_images):
    images = train_images[:20]
    for family in residual.KINDS:
        network, module = parse("[2*5, 1*4]", family), residual.ResMlp([784, 5, 5, 4, 10]).double()
        found = {}
        for name, one in module.named_modules():
            one.register_forward_hook(lambda _, inputs, output, key=name, found=found: found.update({key: output}))
        module.requires_grad_(False)(((images.pixels.double() / 255) - 0.1307) / 0.3081)
        state = module.state_dict()
        row = torch.cat([state[tensor.name].flatten() for tensor in network.tensors])
        inner = [torch.relu(found[f"stacks.{s}.blocks.{b}.linear1"]) for s, b in ((0, 0), (0, 1), (1, 0))]
        ends = [found[f"stacks.{s}.blocks.{b}"] for s, b in ((0, 0), (0, 1), (1, 0))]
        expected = (
            [ends[1], *inner[:2], ends[2], inner[2]]
            if family == "resmlp"
            else [inner[0], ends[0], inner[1], ends[1], torch.relu(found["stacks.1.transition"]), inner[2], ends[2]]
        )
        torch.testing.assert_close(hidden_activations(row, network, images), torch.cat(expected, 1))


@pytest.mark.parametrize("backend", NAMES)
def test_with_the_published_faults_every_mode_drops_and_decays_so_three_of_them_are_one(backend, train_images):
    network, images = parse("[2*6, 1*5]", "resmlp-published"), train_images[:200]
    variants = [find_variant(f"{mode.name}+dropout+decay") for mode in PUBLISHED]
    assert variants[0] == variants[1] == variants[2] != variants[3]
    members = [(3, variant) for variant in variants[2:]]
    weights, epoch = prepare(network, members, len(images), torch.float64)
    assert None not in epoch().dropout
    assert set(epoch().weight_decay) == {0.1}
    expected = weights.clone()
    end_of(BACKENDS.find(backend).train_epoch(weights, network, images, epoch()))
    end_of(oracle.train_epoch(expected, network, images, epoch()))
    assert (weights - expected).abs().max() <= 1e-12


@pytest.mark.parametrize("family", residual.KINDS)
def test_backends_mark_the_same_hidden_units_as_active(family, validation_images):
    network = parse("[2*6, 1*5]", family)
    weights, _ = prepare(network, [(seed, variant) for seed in (1, 2) for variant in PUBLISHED], 100, torch.float64)
    active = torch.stack([hidden_activations(row, network, validation_images).any(0) for row in weights])
    if family == "resmlp":
        # A coordinate is active where it is so anywhere in its stack, not only at its end.
        active = torch.zeros_like(active)
        BACKENDS.find("module").count_correct(weights, network, validation_images, active=active)
    assert 0 < active.sum() < active.numel()
    for name in NAMES:
        marks = torch.zeros_like(active)
        BACKENDS.find(name).count_correct(weights, network, validation_images, active=marks)
        assert torch.equal(marks, active)


def test_a_first_stack_as_wide_as_the_images_is_left_to_the_backend_that_trains_any_network():
    network = parse("[1*784]", "resmlp")
    assert choose_backend("auto", network, "cpu").name == "module"
    for name in ("numba", "torch"):
        assert "first width" in (BACKENDS.find(name).refusal(network, "cpu") or "")
