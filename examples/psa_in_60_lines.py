"""Persistent Stochastic Ablation in one file, to be read from top to bottom. Needs NumPy, PyTorch and torchvision.

A meta-loop clones the Last Known Good (LKG) network, zeroes one of its neurons, trains the clone for one epoch, and
keeps it only if it classifies more validation images correctly than the LKG did. Otherwise the clone is forgotten.

    python examples/psa_in_60_lines.py --hidden 18,18,18,18 --mode output --seed 1

Modes: none, decay, dropout, full, hidden, output. Given the same seed, psa-tui draws the same numbers.
"""

import argparse
import copy
from itertools import pairwise

import numpy as np
import torch
from torch import nn

INITIALISATION, SHUFFLE, ABLATION, DROPOUT = range(4)
DROPPED = 6554  # of 65536: mode dropout drops a hidden unit with probability 0.1


def draws(seed, loop, purpose):
    """Every draw has an address, so that no loop needs to know what others drew; loop 0 comes before the first."""
    return np.random.default_rng(np.random.SeedSequence(entropy=seed, spawn_key=(loop, purpose)))


class Dropout(nn.Module):
    """Keeps the units that ``kept`` says while it trains, and scales them; keeps all when there is no ``kept``."""

    kept = None

    def forward(self, x):
        """Apply it to ``x`` [images, units]."""
        return x * self.kept / (1 - DROPPED / 65536) if self.training and self.kept is not None else x


def network(widths, seed):
    """Linear, ReLU and dropout for each hidden layer, then Linear; initialised as PyTorch does, with our draws."""
    modules = [module for sizes in pairwise(widths) for module in (nn.Linear(*sizes), nn.ReLU(), Dropout())]
    model, uniform = nn.Sequential(*modules[:-2]), draws(seed, 0, INITIALISATION)
    for layer in model[::3]:
        bound = np.float32(layer.in_features**-0.5)
        for parameter in (layer.weight, layer.bias):  # uniform from -bound to bound
            parameter.data = torch.from_numpy(uniform.random(parameter.shape, np.float32) * (2 * bound) - bound)
    return model


@torch.no_grad()
def ablate(model, mode, seed, loop):
    """Zero what leads into one neuron, its bias and, in mode hidden, what leads out of it."""
    layers, draw = model[::3], draws(seed, loop, ABLATION)
    if mode == "hidden":  # any hidden neuron is as likely as any other
        neurons = [(at, neuron) for at, layer in enumerate(layers[:-1]) for neuron in range(layer.out_features)]
        at, neuron = neurons[draw.integers(len(neurons))]
        layers[at + 1].weight[:, neuron] = 0
    else:  # mode full: any layer is as likely as any other, then any neuron of it
        at = draw.integers(len(layers)) if mode == "full" else len(layers) - 1
        neuron = draw.integers(layers[at].out_features)
    layers[at].weight[neuron] = layers[at].bias[neuron] = 0
    return int(at), int(neuron)


def train_epoch(model, images, labels, mode, seed, loop, lr, batch):
    """Show every image once, in random order, to a fresh AdamW."""
    optimizer = torch.optim.AdamW(model.train().parameters(), lr=lr, weight_decay=1e-4 if mode == "decay" else 0.0)
    bits, hidden = draws(seed, loop, DROPOUT).bit_generator, [layer.out_features for layer in model[:-1:3]]
    for some in torch.from_numpy(draws(seed, loop, SHUFFLE).permutation(len(images))).split(batch):
        if mode == "dropout":  # 16 random bits decide on one unit for one image
            count = sum(hidden) * len(some)
            kept = bits.random_raw(-(-count // 4)).view(np.uint16)[:count].reshape(-1, len(some)) >= DROPPED
            for module, rows in zip(model[2::3], torch.from_numpy(kept).split(hidden), strict=True):
                module.kept = rows.T
        loss = nn.functional.cross_entropy(model(images[some]), labels[some])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


@torch.no_grad()
def count_correct(model, images, labels):
    """How many images the network classifies correctly."""
    return int((model.eval()(images).argmax(1) == labels).sum())


def psa(train, validation, hidden, mode, seed, loops, lr=1e-4, batch=256):
    """Yield (loop, ablated, correct, promoted, LKG); ``train`` and ``validation`` are (images [N, pixels], labels)."""
    lkg, best = network([train[0].shape[1], *hidden, 10], seed).to(train[0].dtype), -1
    for loop in range(1, loops + 1):
        candidate, ablated = copy.deepcopy(lkg), None
        if loop > 1 and mode in ("full", "hidden", "output"):  # before loop 1 nothing is known to be good
            ablated = ablate(candidate, mode, seed, loop)
        train_epoch(candidate, *train, mode, seed, loop, lr, batch)
        correct = count_correct(candidate, *validation)
        if promoted := correct > best:
            lkg, best = candidate, correct
        yield loop, ablated, correct, promoted, lkg


if __name__ == "__main__":
    from torchvision.datasets import MNIST

    parser = argparse.ArgumentParser(formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    for name, default in {"data": "dataset", "hidden": "1024", "mode": "none", "seed": 0, "loops": 100}.items():
        parser.add_argument(f"--{name}", type=type(default), default=default, help=" ")
    given = parser.parse_args()
    sets = [MNIST(given.data, train=train, download=True) for train in (True, False)]
    images, test_images = [((digits.data.view(-1, 784) / 255) - 0.1307) / 0.3081 for digits in sets]
    parts = torch.randperm(60_000, generator=torch.Generator().manual_seed(1337)).split([50_000, 10_000])
    train, validation = [(images[part], sets[0].targets[part]) for part in parts]
    hidden = [int(width) for width in given.hidden.split(",")]
    for loop, ablated, correct, promoted, lkg in psa(train, validation, hidden, given.mode, given.seed, given.loops):  # noqa: B007
        print(f"{loop}: ablated {ablated}, {correct / 100:.2f} %, {'promoted' if promoted else 'rolled back'}")
    print(f"test images: {count_correct(lkg, test_images, sets[1].targets) / 100:.2f} %")
