"""A convnet as anybody writes it with PyTorch's own modules, and its PSA in the way of the sixty-line example."""

import copy

import numpy as np
import torch
from torch import nn

from examples.psa_in_60_lines import ABLATION, DROPOUT, INITIALISATION, SHUFFLE, count_correct, draws


class Masked(nn.Module):
    """Keeps the channels that ``kept`` says while it trains, and scales them."""

    kept = None

    def forward(self, x):
        return x * self.kept[:, :, None, None] if self.training and self.kept is not None else x


class PlainConvNet(nn.Module):
    """What ``network``, a ``ConvNet``, describes; its tensors have the same names."""

    def __init__(self, network):
        super().__init__()
        inputs, self.depth = network.input_shape[0], network.depth
        for layer in network.layers:
            setattr(self, f"conv{layer.number}", nn.Conv2d(inputs, layer.channels, 3, padding=1, bias=False))
            setattr(self, f"pool{layer.number}", nn.MaxPool2d(layer.pooling))
            setattr(self, f"norm{layer.number}", nn.BatchNorm2d(layer.channels))
            setattr(self, f"dropout{layer.number}", Masked())
            inputs = layer.channels
        self.head = nn.Linear(network.head_inputs, network.classes)

    def of(self, kind):
        return [getattr(self, f"{kind}{number}") for number in range(self.depth)]

    def forward(self, x):
        for conv, pool, norm, dropout in zip(*map(self.of, ("conv", "pool", "norm", "dropout")), strict=True):
            x = dropout(norm(pool(conv(x))).relu())
        return self.head(x.flatten(1))


def psa(network, train, validation, variant, seed, loops, lr, batch, rate, decay, twin=None):
    """Yield (loop, ablated, correct, promoted, LKG) as the example does; ``train`` is (images, labels).

    A ``twin``, a generator of random numbers, sees the images of each batch in another order: nothing but rounding.
    """
    lkg, best = begun(network, seed), -1
    for loop in range(1, loops + 1):
        candidate, ablated = copy.deepcopy(lkg), None
        if loop > 1 and variant.ablates:
            ablated = ablate(candidate, variant.name, draws(seed, loop, ABLATION))
        train_epoch(candidate, *train, variant, seed, loop, lr, batch, rate, decay, twin)
        correct = count_correct(candidate, *validation)
        if promoted := correct > best:
            lkg, best = candidate, correct
        yield loop, ablated, correct, promoted, lkg


def begun(network, seed):
    """The model with PyTorch's initialisation, drawn from the address of a trial's."""
    model, uniform = PlainConvNet(network).double(), draws(seed, 0, INITIALISATION)
    for module in (*model.of("conv"), model.head):
        bound = np.float32(module.weight[0].numel() ** -0.5)
        for parameter in module.parameters():
            drawn = torch.from_numpy(uniform.random(parameter.numel(), np.float32) * (2 * bound) - bound)
            parameter.data = drawn.view(parameter.shape).double()
    return model


@torch.no_grad()
def ablate(model, mode, draw):
    """Zero what leads into a channel or an output neuron, and in mode hidden what leads out of a channel."""
    layers = [*model.of("conv"), model.head]
    if mode == "hidden":
        channels = [(at, channel) for at, layer in enumerate(layers[:-1]) for channel in range(layer.out_channels)]
        at, unit = channels[draw.integers(len(channels))]
        after = layers[at + 1].weight
        after.view(len(after), layers[at].out_channels, -1)[:, unit] = 0
    else:
        at = draw.integers(len(layers)) if mode == "full" else len(layers) - 1
        unit = draw.integers(len(layers[at].weight))
    layers[at].weight[unit] = 0
    if at < len(layers) - 1:
        norm = model.of("norm")[at]
        norm.weight[unit] = norm.bias[unit] = 0
    else:
        model.head.bias[unit] = 0
    return int(at), int(unit)


def train_epoch(model, images, labels, variant, seed, loop, lr, batch, rate, decay, twin):
    """Show every image once, in random order, to a fresh AdamW."""
    weight_decay = decay if variant.weight_decay else 0.0
    optimizer = torch.optim.AdamW(model.train().parameters(), lr=lr, weight_decay=weight_decay)
    bits, dropped = draws(seed, loop, DROPOUT).bit_generator, round(rate * 65536)
    channels = [conv.out_channels for conv in model.of("conv")]
    for some in torch.from_numpy(draws(seed, loop, SHUFFLE).permutation(len(images))).split(batch):
        within = np.arange(len(some)) if twin is None else twin.permutation(len(some))
        if variant.dropout:
            count = sum(channels) * len(some)
            kept = bits.random_raw(-(-count // 4)).view(np.uint16)[:count].reshape(-1, len(some)) >= dropped
            for module, rows in zip(model.of("dropout"), torch.from_numpy(kept).split(channels), strict=True):
                module.kept = rows.T[within].double() / (1 - dropped / 65536)
        loss = nn.functional.cross_entropy(model(images[some[within]]), labels[some[within]])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
