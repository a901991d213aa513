"""A residual network as its authors describe it, in PyTorch's modules, and what an ablation of it damages.

Written without the families ``resmlp`` and ``resmlp-published``, which are compared with it.
"""

import numpy as np
import torch
from torch import nn

from examples.psa_in_60_lines import INITIALISATION, Dropout, draws


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear1, self.dropout, self.linear2 = nn.Linear(width, width), Dropout(), nn.Linear(width, width)

    def forward(self, x):
        return torch.relu(x + self.linear2(self.dropout(torch.relu(self.linear1(x)))))


class Stack(nn.Module):
    def __init__(self, inputs, width, count):
        super().__init__()
        self.transition = nn.Linear(inputs, width) if inputs != width else None
        self.dropout = Dropout()
        self.blocks = nn.ModuleList(Block(width) for _ in range(count))

    def forward(self, x):
        if self.transition is not None:
            x = self.dropout(torch.relu(self.transition(x)))
        for block in self.blocks:
            x = block(x)
        return x


class ResMlp(nn.Module):
    """Of ``widths``: those of the inputs, of each block, and of the classes."""

    def __init__(self, widths):
        super().__init__()
        inputs, *hidden, classes = widths
        starts = [at for at, width in enumerate(hidden) if not at or hidden[at - 1] != width]
        ends = [*starts[1:], len(hidden)]
        before = [inputs, *(hidden[end - 1] for end in ends)]
        self.stacks = nn.ModuleList(
            Stack(before[at], hidden[start], end - start)
            for at, (start, end) in enumerate(zip(starts, ends, strict=True))
        )
        self.head = nn.Linear(hidden[-1], classes)

    def forward(self, x):
        for stack in self.stacks:
            x = stack(x)
        return self.head(x)

    def linears(self):
        return [module for module in self.modules() if isinstance(module, nn.Linear) and module is not self.head] + [
            self.head
        ]

    def __getitem__(self, part):
        """What the sixty-line example takes of its ``nn.Sequential``: hidden layers that are dropped, and dropouts."""
        dropped, dropouts = [], []
        for stack in self.stacks:
            if stack.transition is not None:
                dropped.append(stack.transition)
                dropouts.append(stack.dropout)
            dropped += [block.linear1 for block in stack.blocks]
            dropouts += [block.dropout for block in stack.blocks]
        return {-1: dropped, None: dropouts}[part.stop]


def network(widths, seed):
    """As the example's: initialised as PyTorch does, with addressed draws."""
    model, uniform = ResMlp(widths), draws(seed, 0, INITIALISATION)
    for layer in model.linears():
        bound = np.float32(layer.in_features**-0.5)
        for parameter in (layer.weight, layer.bias):
            parameter.data = torch.from_numpy(uniform.random(parameter.shape, np.float32) * (2 * bound) - bound)
    return model


def published_units(model):
    """Every layer's units as (writers, readers): each linear layer, read by the next one in order of computation."""
    layers = model.linears()
    return [([layer], layers[at + 1 : at + 2], layer.out_features) for at, layer in enumerate(layers)]


def silenced_units(model):
    """Every layer's units: the streams' coordinates, and the blocks' inner neurons."""
    found = []
    following = [*[stack.transition for stack in model.stacks][1:], model.head]
    for stack, reader in zip(model.stacks, following, strict=True):
        writers = [stack.transition] if stack.transition is not None else []
        writers += [block.linear2 for block in stack.blocks]
        found.append(
            (writers, [block.linear1 for block in stack.blocks] + [reader], stack.blocks[0].linear1.in_features)
        )
        found += [([block.linear1], [block.linear2], block.linear1.out_features) for block in stack.blocks]
    return [*found, ([model.head], [], model.head.out_features)]


KINDS = {"resmlp": (silenced_units, 0), "resmlp-published": (published_units, 1)}
"""The units of each family, and its first hidden layer of units."""


@torch.no_grad()
def ablate(family, model, mode, seed, loop):
    """As the example's, for the units of ``family``."""
    units_of, first_hidden = KINDS[family]
    layers, draw = units_of(model), np.random.default_rng(np.random.SeedSequence(entropy=seed, spawn_key=(loop, 2)))
    if mode == "hidden":
        neurons = [(at, unit) for at in range(first_hidden, len(layers) - 1) for unit in range(layers[at][2])]
        at, unit = neurons[draw.integers(len(neurons))]
    else:
        at = draw.integers(len(layers)) if mode == "full" else len(layers) - 1
        unit = draw.integers(layers[at][2])
    writers, readers, _ = layers[at]
    for layer in writers:
        layer.weight[unit] = layer.bias[unit] = 0
    for layer in readers if mode == "hidden" else ():
        layer.weight[:, unit] = 0
    return int(at), int(unit)
