"""Twins: the same network, trained by the oracle on the same images, with every sum taken in another order.

A twin has its pixels, its hidden units and the images of each batch in orders of its own. In exact arithmetic it
stays its original for ever; in floating point it strays as far as rounding leads. That may be far: a ReLU at zero
may fall to the other side, and AdamW divides a gradient that is zero but for rounding by its own size. How far
depends on the processor, whose sums have orders of their own. So what float32 may differ by is no number found on
one machine: it is measured where the test runs, by how far the twins stray from the oracle.
"""

from dataclasses import replace

import numpy as np
import torch

from tests.engine import oracle
from tests.engine.trials import end_of

TWINS = 4
MULTIPLE = 10
"""How many times as far as the farthest twin a result may be. A few twins see few of the rare events that lead far, so
it may well be some times as far; what is wrong is hundreds of times as far, at least on average."""


class Twin:
    """One way of putting everything in another order; ``number`` says which."""

    def __init__(self, number, network):
        self._network = network
        self._draws = np.random.default_rng([0x7417, number])
        self.pixels = self._draws.permutation(network.inputs)
        units = []
        for layer in network.layers[:-1]:
            # What a skip adds to stays unit by unit.
            units.append(units[-2] if layer.skip else self._draws.permutation(layer.outputs))
        positions = torch.arange(network.parameters)[None]
        moved = positions.clone()
        after = [*units, np.arange(network.classes)]
        for layer, inputs, outputs in zip(network.layers, [self.pixels, *units], after, strict=True):
            layer.weight(moved)[0] = layer.weight(positions)[0][outputs][:, inputs]
            layer.bias(moved)[0] = layer.bias(positions)[0][outputs]
        self._positions = moved[0]
        """Where each of the twin's numbers lies in its original's row."""
        dropped = [some for some, layer in zip(units, network.layers, strict=False) if layer.dropout]
        begins = np.cumsum([0, *(len(some) for some in dropped)])
        self._units = np.concatenate([some + begin for some, begin in zip(dropped, begins[:-1], strict=True)])

    def train(self, weights, images, epoch):
        """What the oracle makes of the twins of ``weights`` in one epoch, in their originals' order; and the losses."""
        twins = weights[:, self._positions]
        losses = end_of(oracle.train_epoch(twins, self._network, self._images(images), self._epoch(epoch)))
        return twins[:, self._positions.argsort()], losses

    def count_correct(self, weights, images):
        """What the oracle counts for the twins of ``weights``."""
        return oracle.count_correct(weights[:, self._positions], self._network, self._images(images))

    def _images(self, images):
        return replace(images, pixels=images.pixels[:, self.pixels], prepared={})

    def _epoch(self, epoch):
        batches = epoch.orders.split(epoch.hyperparameters.batch_size, 1)
        within = [self._draws.permutation(batch.shape[1]) for batch in batches]
        orders = torch.cat([batch[:, order] for batch, order in zip(batches, within, strict=True)], 1)
        dropout = tuple(None if draws is None else _Masks(draws, self._units, within) for draws in epoch.dropout)
        return replace(epoch, orders=orders, dropout=dropout)


class _Masks:
    """A trial's dropout masks, for its twin."""

    def __init__(self, draws, units, within):
        self._draws, self._units, self._within = draws, units, iter(within)

    def fill_dropout_mask(self, mask):
        self._draws.fill_dropout_mask(mask)
        mask[:] = mask[self._units][:, next(self._within)]


def of_twins(network, weights, images, epoch):
    """The weights [T, M, parameters] and the losses [T, M] of the twins after one epoch, made afresh by ``epoch``."""
    found = [Twin(number, network).train(weights, images, epoch()) for number in range(TWINS)]
    return tuple(torch.stack(some) for some in zip(*found, strict=True))


def assert_near(found, expected, twins):
    """``found`` is about as near to ``expected`` as the ``twins`` [T, ...] are: the farthest number, and on average.

    Where no twin strays at all, a few roundings are allowed.
    """
    expected = expected.double()
    away, strays = (found - expected).abs(), (twins - expected).abs().flatten(1)
    roundings = 4 * torch.finfo(found.dtype).eps * expected.abs()
    assert away.max() <= MULTIPLE * strays.max() + roundings.max()
    assert away.mean() <= MULTIPLE * strays.mean(1).max() + roundings.mean()


def assert_counts_near(found, expected, twins):
    """The same for numbers of images. Where twins agree, two images that are nearly ties may still be otherwise."""
    found, expected, twins = (torch.as_tensor(counts) for counts in (found, expected, twins))
    assert (found - expected).abs().max() <= MULTIPLE * (twins - expected).abs().max() + 2
