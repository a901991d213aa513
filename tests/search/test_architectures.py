"""Networks that are no MLPs: each search beside a plain loop that is written here without the package."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy, scaled_dot_product_attention

import psa_tui
from psa_tui.networks.unit import OUTPUT, Place, Unit
from tests.search.conftest import assert_same, values

SEED, LOOPS, CLASSES = 5, 8, 4
ABLATION = 2


class Convnet(nn.Module):
    """Convolution, BatchNorm, ReLU, twice; then a Linear layer of the channels' means."""

    def __init__(self):
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(1, 5, 3, bias=False), nn.BatchNorm2d(5)
        self.conv2, self.norm2 = nn.Conv2d(5, 6, 3), nn.BatchNorm2d(6)
        self.head = nn.Linear(6, CLASSES)

    def forward(self, images):
        seen = self.norm1(self.conv1(images.view(-1, 1, 8, 8))).relu()
        return self.head(self.norm2(self.conv2(seen)).relu().mean((2, 3)))


def convnet_units():
    """A channel is its filter and its norm; what reads it, the input channels of filters, or columns of the head."""
    units = []
    for number, channels, reader in ((1, 5, "conv2.weight"), (2, 6, "head.weight")):
        for n in range(channels):
            own = [f"conv{number}.weight", f"norm{number}.weight", f"norm{number}.bias"]
            own += ["conv2.bias"] if number == 2 else []
            incoming = tuple(Place(name, 0, n) for name in own)
            units.append(Unit(f"conv{number}[{n}]", "channel", f"conv{number}", incoming, (Place(reader, 1, n),)))
    return units + head_units(6)


def head_units(width):
    places = [(Place("head.weight", 0, n), Place("head.bias", 0, n)) for n in range(CLASSES)]
    return [Unit(f"head[{n}]", OUTPUT, "head", incoming) for n, incoming in enumerate(places)]


class Block(nn.Module):
    """A transformer block of two heads over the rows of an image, with LayerNorm and a feed-forward layer."""

    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(8), nn.LayerNorm(8)
        self.qkv, self.out = nn.Linear(8, 24), nn.Linear(8, 8)
        self.up, self.down = nn.Linear(8, 12), nn.Linear(12, 8)
        self.head = nn.Linear(8, CLASSES)

    def forward(self, images):
        rows = images.view(-1, 8, 8)
        q, k, v = self.qkv(self.norm1(rows)).view(-1, 8, 3, 2, 4).permute(2, 0, 3, 1, 4)
        rows = rows + self.out(scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(-1, 8, 8))
        rows = rows + self.down(self.up(self.norm2(rows)).relu())
        return self.head(rows.mean(1))


def block_units():
    """A head is its rows of queries, keys and values; what reads it, four columns of the output projection."""
    units = []
    for n in range(2):
        rows = [8 * part + 4 * n + one for part in range(3) for one in range(4)]
        incoming = tuple(Place(name, 0, row) for name in ("qkv.weight", "qkv.bias") for row in rows)
        outgoing = tuple(Place("out.weight", 1, 4 * n + one) for one in range(4))
        units.append(Unit(f"head {n}", "head", "attention", incoming, outgoing))
    for n in range(12):
        incoming = (Place("up.weight", 0, n), Place("up.bias", 0, n))
        units.append(Unit(f"up[{n}]", "neuron", "up", incoming, (Place("down.weight", 1, n),)))
    return units + head_units(8)


def damage_convnet(model, layer, n, hidden):
    if layer == 2:
        model.head.weight[n] = model.head.bias[n] = 0
        return
    for part in ((model.conv1, model.norm1), (model.conv2, model.norm2))[layer]:
        part.weight[n] = 0
        if part.bias is not None:
            part.bias[n] = 0
    if hidden:
        (model.conv2, model.head)[layer].weight[:, n] = 0


def damage_block(model, layer, n, hidden):
    if layer == 0:
        weight, bias = model.qkv.weight.view(3, 2, 4, 8), model.qkv.bias.view(3, 2, 4)
        weight[:, n] = bias[:, n] = 0
        if hidden:
            model.out.weight.view(8, 2, 4)[:, n] = 0
        return
    own = (model.up, model.head)[layer - 1]
    own.weight[n] = own.bias[n] = 0
    if hidden:
        model.down.weight[:, n] = 0


def images(count, seed):
    draws = torch.Generator().manual_seed(seed)
    patterns = torch.randn(CLASSES, 64, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    labels = torch.randint(CLASSES, (count,), generator=draws)
    return patterns[labels] + 2.5 * torch.randn(count, 64, generator=draws, dtype=torch.float64), labels


def draws(loop, purpose):
    return np.random.default_rng(np.random.SeedSequence(entropy=SEED, spawn_key=(loop, purpose)))


def train_and_count(model, order):
    inputs, labels = images(48, 2)
    model.train()
    for some in order.split(16):
        model.zero_grad()
        cross_entropy(model(inputs[some]), labels[some]).backward()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter -= 0.1 * parameter.grad
    inputs, labels = images(60, 3)
    with torch.no_grad():
        return int((model.eval()(inputs).argmax(1) == labels).sum())


def plain_psa(model, counts, mode, damage):
    """Persistent Stochastic Ablation, written down once more."""
    lkg, best = copy.deepcopy(model), -1
    for loop in range(1, LOOPS + 1):
        candidate, hit = copy.deepcopy(lkg), None
        if loop > 1:
            drawn = draws(loop, ABLATION)
            if mode == "hidden":
                every = [(layer, n) for layer, count in enumerate(counts[:-1]) for n in range(count)]
                hit = every[drawn.integers(len(every))]
            else:
                layer = int(drawn.integers(len(counts))) if mode == "full" else len(counts) - 1
                hit = layer, int(drawn.integers(counts[layer]))
            with torch.no_grad():
                damage(candidate, *hit, mode == "hidden")
        correct = train_and_count(candidate, torch.from_numpy(draws(loop, 1).permutation(48)))
        if promoted := correct > best:
            lkg, best = candidate, correct
        yield hit, correct, promoted, lkg


@pytest.mark.parametrize("mode", ["full", "hidden", "output"])
@pytest.mark.parametrize(
    ("family", "units", "counts", "damage"),
    [(Convnet, convnet_units(), (5, 6, 4), damage_convnet), (Block, block_units(), (2, 12, 4), damage_block)],
    ids=["convnet", "transformer"],
)
def test_a_search_is_a_plain_loop_with_buffers_and_heads(family, units, counts, damage, mode):
    torch.manual_seed(3)
    model = family().double()
    expected = list(plain_psa(model, counts, mode, damage))
    search = psa_tui.Search(model, units, mode, seed=SEED)
    found = []
    for loop in search.loops(LOOPS):
        event = loop.report(correct=train_and_count(model, loop.order(48)), total=60)
        hit = event.ablation and (event.ablation.units[0].layer, event.ablation.units[0].unit)
        found.append((hit, event.validation_correct, event.verdict == "promoted"))
    assert found == [one[:3] for one in expected]
    assert {promoted for *_, promoted in found} == {True, False}
    search.load_best_()
    assert_same(values(model), values(expected[-1][3]))


@pytest.mark.parametrize(("family", "units"), [(Convnet, convnet_units()), (Block, block_units())])
def test_the_hand_made_units_are_silent_when_they_are_damaged(family, units):
    torch.manual_seed(3)
    model = family().double().eval()
    inputs, _ = images(5, 4)
    for unit in (one for one in units if one.outgoing):
        damaged, unread = copy.deepcopy(model), copy.deepcopy(model)
        with torch.no_grad():
            for net, places in ((damaged, unit.incoming), (unread, unit.outgoing)):
                for place in places:
                    dict(net.named_parameters())[place.parameter].select(place.dimension, place.index).zero_()
            # Nothing leads in, or nothing reads: the rest of the network sees the same.
            torch.testing.assert_close(damaged(inputs), unread(inputs), rtol=0, atol=1e-12)
