from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from psa_tui.engine.backend import BACKENDS
from psa_tui.engine.backends.numba import training
from psa_tui.engine.backends.numba.layout import Layout
from psa_tui.engine.backends.numba.prepared_images import patched
from psa_tui.engine.backends.numba.unreached import unreached_layers
from psa_tui.method.hyperparameters import Hyperparameters
from psa_tui.method.variants import DROPOUT, NONE
from psa_tui.networks import NETWORKS
from tests.engine.conftest import random_images
from tests.engine.trials import HYPERPARAMETERS, INPUT_SHAPE, SIX_VARIANTS, end_of, mlp, prepare

NUMBA = BACKENDS.find("numba")
IMAGES = random_images(300, 1)
DEEP = "[9*1, 2*2]"


def unreached(network, weights, epoch):
    return unreached_layers(weights.numpy(), network, epoch, patched(IMAGES)[0])


def block(network, weights, layer, member=0):
    """Make ``layer`` one that nothing activates, and all others such that something may."""
    for number, one in enumerate(network.layers):
        row = weights[member, one.offset : one.end]
        row.abs_()
        if number == layer:
            row.neg_()


def trained(network, weights, epoch, images=IMAGES, threads=1):
    NUMBA.use_threads(threads)
    after = weights.clone()
    losses = end_of(NUMBA.train_epoch(after, network, images, epoch))
    return after, losses, epoch.correct


@given(st.lists(st.integers(1, 3), min_size=1, max_size=6), st.integers(0, 2**32 - 1), st.floats(0.3, 1))
def test_no_image_activates_such_a_layer_and_none_after_it_is_sure_to_be_idle(widths, seed, share):
    network = mlp("[" + ",".join(f"1*{width}" for width in widths) + "]", (9,), 3)
    draws = np.random.default_rng(seed)
    signs = np.where(draws.random((4, network.parameters)) < share, -1, 1)
    rows = (draws.random(signs.shape) * signs).astype(np.float32)
    rows[draws.random(rows.shape) < 0.1] = 0
    weights, make = prepare(network, [(seed, NONE) for seed in range(4)], len(IMAGES))
    found = unreached(network, torch.from_numpy(rows), make())
    assert weights.shape == rows.shape
    for row, last in zip(rows, found, strict=True):
        seen = np.maximum(draws.normal(size=(50, 9)), -9)
        for number, layer in enumerate(network.layers[:-1]):
            weight, bias = row[layer.offset : layer.bias_offset], row[layer.bias_offset : layer.end]
            seen = np.maximum(seen @ weight.reshape(layer.outputs, layer.inputs).T + bias, 0)
            if number and number == last:
                assert not seen.any()
            if number > last:
                # Positive inputs would activate it.
                assert (row[layer.offset : layer.end] > 0).any()


def test_what_might_reach_it_after_all_is_computed():
    network = mlp(DEEP)
    weights, make = prepare(network, [(1, NONE), (2, DROPOUT)], len(IMAGES))
    for member in (0, 1):
        block(network, weights, 5, member)
    epoch = make()
    # Masks of all layers are one stream of random numbers.
    assert unreached(network, weights, epoch).tolist() == [5, 0]
    kept = replace(epoch, moments=torch.zeros(2, 2, network.parameters))
    assert unreached(network, weights, kept).tolist() == [0, 0]
    # A step that is longer than the weight makes it positive.
    flips = replace(epoch, weight_decay=(1.5, 0.0), hyperparameters=Hyperparameters(learning_rate=0.9))
    assert unreached(network, weights, flips).tolist() == [0, 0]
    for number in (np.nan, np.inf, 1e38):
        # Zero times what overflows is not a number, and that must be seen.
        large = weights.clone()
        large[:, network.layers[3].offset] = number
        assert unreached(network, large, epoch).tolist() == [0, 0]
    first, last = weights.clone(), weights.clone()
    block(network, first, 0)
    block(network, last, len(network.layers) - 1)
    # The first layer sees negative numbers, and of the output all do.
    assert unreached(network, first, epoch).tolist() == unreached(network, last, epoch).tolist() == [0, 0]


def test_what_is_added_past_a_layer_is_computed():
    network = NETWORKS.find("resmlp").parse("[4*2]", INPUT_SHAPE, 10)
    weights, make = prepare(network, [(1, NONE)], len(IMAGES))
    weights.neg_().abs_().neg_()
    assert unreached(network, weights, make()).tolist() == [0]


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    "text", [DEEP, "[64*1]", "[3*6, 1*1]", pytest.param("[1*70, 2*1]", marks=pytest.mark.campaign)]
)
def test_what_is_left_out_changes_no_bit(text, threads, monkeypatch):
    network = mlp(text)
    weights, make = prepare(network, SIX_VARIANTS, len(IMAGES))
    layers = len(network.layers)
    for member in range(3, len(weights)):
        block(network, weights, 1 + member % (layers - 2), member)
    assert (unreached(network, weights, make()) > 0).sum() >= 6
    spared = trained(network, weights, make(), threads=threads)
    monkeypatch.setattr(training, "unreached_layers", lambda rows, *_: np.zeros(len(rows), np.int64))
    for one, other in zip(spared, trained(network, weights, make(), threads=threads), strict=True):
        assert one.numpy().tobytes() == other.numpy().tobytes()
    assert (spared[0] != weights).any(1).all()


@pytest.mark.slow
def test_a_number_that_overflows_is_seen_as_before():
    network = mlp(DEEP)
    weights, make = prepare(network, [(1, NONE)], len(IMAGES))
    block(network, weights, 5)
    weights[:, network.layers[5].offset] = 0
    for layer in network.layers[:5]:
        weights[:, layer.offset : layer.end] = 1e30
    assert not trained(network, weights, make())[0].isfinite().all()


@pytest.mark.slow
@pytest.mark.parametrize("members", [[(1, NONE)], [(1, NONE), (1, DROPOUT), (2, NONE)]])
def test_no_pixel_is_read_of_an_order_whose_members_need_none(members, monkeypatch):
    network, others = mlp(DEEP), replace(IMAGES, pixels=255 - IMAGES.pixels, prepared={})
    weights, make = prepare(network, members, len(IMAGES), hyperparameters=HYPERPARAMETERS)
    weights.abs_()
    one, other = (trained(network, weights, make(), images)[0] for images in (IMAGES, others))
    assert (one != other).any(1).all()

    def claimed(rows, network, epoch, images):
        return np.where([draws is None for draws in epoch.dropout], 5, 0)

    monkeypatch.setattr(training, "unreached_layers", claimed)
    one, other = (trained(network, weights, make(), images)[0] for images in (IMAGES, others))
    same = (one == other).all(1).tolist()
    assert same == [variant is NONE for _, variant in members]
    if all(same):
        layout = Layout(network, IMAGES, 1, (1,))
        monkeypatch.setattr(training, "layout_of", lambda *_: layout)
        trained(network, weights, make())
        space, _ = layout.room(HYPERPARAMETERS.batch_size, np.dtype(np.float32))
        assert not space.activations[:, : space.activation_at[1]].any()
        assert space.activations.any()
