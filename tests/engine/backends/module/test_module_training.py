"""The module backend on a network that only it can train: convolution, three channels."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from examples.own_network import Filters
from psa_tui.engine.backend import BACKENDS
from psa_tui.engine.images import Images
from psa_tui.engine.meta_loop import run_meta_loops
from psa_tui.engine.population import named_weights
from psa_tui.method.randomness import Purpose, generator
from psa_tui.method.variants import DROPOUT, HIDDEN, NONE, PUBLISHED
from tests.engine.trials import HYPERPARAMETERS, end_of, finished, population, prepare

MODULE = BACKENDS.find("module")
NETWORK = Filters(4, (3, 9, 8), 5)
MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)


def coloured_images(count, seed=1):
    draws = np.random.default_rng(seed)
    pixels = torch.from_numpy(draws.integers(0, 256, (count, 3 * 9 * 8), dtype=np.uint8))
    return Images(pixels, torch.from_numpy(draws.integers(0, 5, count)), MEAN, STD, (3, 9, 8))


class Masked(nn.Module):
    kept = None

    def forward(self, x):
        return x if self.kept is None else x * self.kept[:, :, None, None]


class Plain(nn.Module):
    """The same network as PyTorch's own modules."""

    def __init__(self):
        super().__init__()
        self.filters, self.dropout, self.head = nn.Conv2d(3, 4, 5, stride=2), Masked(), nn.Linear(4, 5)

    def forward(self, x):
        return self.head(self.dropout(self.filters(x).relu()).mean((2, 3)))


def seen(images):
    """Each channel scaled, then standardised by its own mean and std."""
    pixels = images.pixels.view(-1, 3, 9, 8).double() / 255
    return torch.stack([(pixels[:, at] - MEAN[at]) / STD[at] for at in range(3)], 1)


def plain_epoch(model, images, order, variant, seed):
    bits = generator(seed, 2, Purpose.DROPOUT).bit_generator
    threshold = round(HYPERPARAMETERS.dropout * 65536)
    decay = HYPERPARAMETERS.weight_decay if variant.weight_decay else 0.0
    optimizer = torch.optim.AdamW(model.parameters(), lr=HYPERPARAMETERS.learning_rate, weight_decay=decay)
    inputs, losses = seen(images), 0.0
    for batch in order.split(HYPERPARAMETERS.batch_size):
        if variant.dropout:
            words = bits.random_raw(-(-4 * len(batch) // 4)).view(np.uint16)[: 4 * len(batch)]
            kept = torch.from_numpy(words.reshape(4, len(batch)) >= threshold).t()
            model.dropout.kept = kept.double() / (1 - threshold / 65536)
        loss = nn.functional.cross_entropy(model(inputs[batch]), images.labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses += loss.item() * len(batch)
    model.dropout.kept = None
    return losses / len(images)


@pytest.mark.parametrize("variant", PUBLISHED, ids=str)
def test_an_epoch_of_a_convolution_on_coloured_images_is_plain_pytorchs(variant):
    images, others = coloured_images(150), coloured_images(1100, 2)
    members = [(3, variant), (4, variant)]
    weights, epoch = prepare(NETWORK, members, len(images), torch.float64)
    models = []
    for member in range(2):
        models.append(Plain().double())
        named = named_weights(NETWORK, weights, member)
        models[-1].load_state_dict({name: torch.from_numpy(array) for name, array in named.items()})
    losses = end_of(MODULE.train_epoch(weights, NETWORK, images, epoch()))
    counts = MODULE.count_correct(weights, NETWORK, others).tolist()
    for member, (model, (seed, _)) in enumerate(zip(models, members, strict=True)):
        loss = plain_epoch(model, images, epoch().orders[member], variant, seed)
        assert losses[member].item() == pytest.approx(loss, rel=1e-12)
        for name, array in named_weights(NETWORK, weights, member).items():
            torch.testing.assert_close(torch.from_numpy(array), model.state_dict()[name], rtol=0, atol=1e-12)
        with torch.no_grad():
            assert counts[member] == int((model(seen(others)).argmax(1) == others.labels).sum())


def test_a_member_ends_with_the_same_bits_alone_and_among_others():
    images = coloured_images(150)
    members = [(seed, variant) for seed in (3, 4) for variant in PUBLISHED]
    together, epoch = prepare(NETWORK, members, len(images))
    losses = end_of(MODULE.train_epoch(together, NETWORK, images, epoch()))
    for index, member in enumerate(members):
        alone, own_epoch = prepare(NETWORK, [member], len(images))
        loss = end_of(MODULE.train_epoch(alone, NETWORK, images, own_epoch()))
        assert torch.equal(alone[0], together[index])
        assert torch.equal(loss[0], losses[index])


def test_meta_loops_ablate_filters_and_resume_to_the_same_bits():
    train, validation = coloured_images(150), coloured_images(90, 2)
    whole, parts = (population(NETWORK, (3, HIDDEN), (3, NONE), count=90, backend="module") for _ in range(2))
    events = finished(run_meta_loops(whole, train, validation, HYPERPARAMETERS, 4))
    first = finished(run_meta_loops(parts, train, validation, HYPERPARAMETERS, 2))
    second = finished(run_meta_loops(parts, train, validation, HYPERPARAMETERS, 4))
    assert [replace(e, seconds=0) for e in first + second] == [replace(e, seconds=0) for e in events]
    assert torch.equal(whole.lkg, parts.lkg)
    ablated = [event.ablation.units for event in events if event.ablation]
    assert [(unit.layer, unit.incoming, unit.outgoing) for (unit,) in ablated] == [(0, 75, 5)] * 3


def test_dropout_in_evaluation_is_not_there():
    images = coloured_images(150)
    weights, _ = prepare(NETWORK, [(3, DROPOUT), (3, NONE)], len(images))
    assert MODULE.count_correct(weights, NETWORK, images).unique().numel() == 1
