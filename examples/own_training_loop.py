"""Persistent Stochastic Ablation around a training loop of your own: a small convolutional network on real digits.

    python examples/own_training_loop.py --loops 10

Stop it in any way and start it again: it goes on with ``search.safetensors``, to the bit. ``psa.units`` finds what can
be ablated: a channel is its filter, its part of the BatchNorm behind it, and the columns of Linear that read it.
"""

import argparse
from pathlib import Path

import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset

import psa_tui as psa
from psa_tui.data import load_dataset

CHANNELS, CLASSES = 12, 10


def tensors(split):
    """Return images [N, 1, 28, 28] from -1 to 1, and labels."""
    images = torch.from_numpy(split.pixels).float().div(127.5).sub(1).view(-1, 1, 28, 28)
    return TensorDataset(images, torch.from_numpy(split.labels))


def network():
    """Convolution, BatchNorm, ReLU; the means of sixteen patches of each channel; Linear."""
    return nn.Sequential(
        nn.Conv2d(1, CHANNELS, 5, stride=2),
        nn.BatchNorm2d(CHANNELS),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(4),
        nn.Flatten(),
        nn.Linear(16 * CHANNELS, CLASSES),
    )


def train_one_epoch(model, optimizer, images):
    """Train as you would without the search."""
    model.train()
    for inputs, labels in images:
        optimizer.zero_grad()
        cross_entropy(model(inputs), labels).backward()
        optimizer.step()


@torch.no_grad()
def evaluate(model, images):
    """Return how many of the images are classified correctly."""
    inputs, labels = images.tensors
    return int((model.eval()(inputs).argmax(1) == labels).sum())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--loops", type=int, default=20, help="meta-loops in total")
    parser.add_argument("--variant", default="full", help="as psa train --mode takes it")
    parser.add_argument("--seed", type=int, default=7, help="of the search and the first weights")
    parser.add_argument("--file", type=Path, default=Path("search.safetensors"), help="of the search")
    given = parser.parse_args()

    digits = load_dataset("mnist5k", Path("dataset"))
    train, validation, test = (tensors(split) for split in (digits.train, digits.validation, digits.test))
    torch.manual_seed(given.seed)
    model = network()
    units = psa.units(model, example_input=train.tensors[0][:2])
    if given.file.exists():
        search = psa.Search.load(given.file, model, units, variant=given.variant, seed=given.seed)
    else:
        search = psa.Search(model, units, variant=given.variant, seed=given.seed)
    psa.watch(search)

    for loop in search.loops(given.loops):
        optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
        train_one_epoch(model, optimizer, DataLoader(train, 64, shuffle=True, generator=loop.generator("order")))
        loop.report(correct=evaluate(model, validation), total=len(validation))
        search.save(given.file)

    search.load_best_()
    print(f"test accuracy of the best: {100 * evaluate(model, test) / len(test):.2f} %")
