"""Models, hand-made units and training loops for searches."""

from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from psa_tui.networks.unit import OUTPUT, Place, Unit

PIXELS, CLASSES = 12, 4


def linear_units(names, layers):
    """The units of Linear layers one after another, each given by its module's name; the last is the output."""
    units = []
    for (name, layer), following in zip(zip(names, layers, strict=True), [*pairwise(names), None], strict=True):
        for index in range(layer.out_features):
            incoming = (Place(f"{name}.weight", 0, index), Place(f"{name}.bias", 0, index))
            outgoing = () if following is None else (Place(f"{following[1]}.weight", 1, index),)
            units.append(Unit(f"{name}[{index}]", "neuron" if outgoing else OUTPUT, name, incoming, outgoing))
    return units


def mlp_units(model):
    """The units of an ``nn.Sequential`` whose Linear layers follow one another."""
    found = {name: module for name, module in model.named_children() if isinstance(module, nn.Linear)}
    return linear_units(list(found), list(found.values()))


def small_mlp(seed=0, dtype=torch.float32):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(PIXELS, 6), nn.ReLU(), nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, CLASSES)).to(dtype)


def blobs(count, seed, dtype=torch.float32):
    """Images that are not quite told apart, so that accuracy goes up and down."""
    draws = torch.Generator().manual_seed(seed)
    centres = torch.randn(CLASSES, PIXELS, generator=torch.Generator().manual_seed(99), dtype=torch.float64)
    labels = torch.randint(CLASSES, (count,), generator=draws)
    images = centres[labels] + 1.5 * torch.randn(count, PIXELS, generator=draws, dtype=torch.float64)
    return images.to(dtype), labels


def train_epoch(model, images, labels, order, lr=5e-3, batch=16):
    """Plain gradient descent: to construct an optimiser of PyTorch's imports its compiler, which takes seconds."""
    for some in order.split(batch):
        model.train().zero_grad()
        cross_entropy(model(images[some]), labels[some]).backward()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter -= lr * parameter.grad


@torch.no_grad()
def count_correct(model, images, labels):
    return int((model.eval()(images).argmax(1) == labels).sum())


class Trainer:
    """A user's training loop: trains and reports one loop of a search."""

    def __init__(self, model, dtype=torch.float32, lr=0.3, counts=True):
        self.model, self.lr, self.counts = model, lr, counts
        self.train, self.validation = blobs(64, 1, dtype), blobs(80, 2, dtype)

    def __call__(self, loop):
        train_epoch(self.model, *self.train, loop.order(len(self.train[1])), lr=self.lr)
        correct, total = count_correct(self.model, *self.validation), len(self.validation[1])
        return loop.report(correct=correct, total=total) if self.counts else loop.report(correct / total)


def values(model):
    """Copies of all parameters and buffers."""
    return {name: tensor.detach().clone() for name, tensor in [*model.named_parameters(), *model.named_buffers()]}


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    assert [name for name in found if not torch.equal(found[name], expected[name])] == []


@pytest.fixture
def model():
    return small_mlp()


@pytest.fixture
def units(model):
    return mlp_units(model)
