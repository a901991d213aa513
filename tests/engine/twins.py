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

from psa_tui.engine.backends.torch.training import Images
from tests.engine import oracle

TWINS = 4
MULTIPLE = 10
"""How many times as far as the farthest twin a result may be. A few twins see few of the rare events that lead far, so
it may well be some times as far; what is wrong is hundreds of times as far, at least on average."""


class Twin:
    """One way of putting everything in another order; ``number`` says which."""

    def __init__(self, number, layers):
        self._layers = layers
        self._draws = np.random.default_rng([0x7417, number])
        self.pixels = self._draws.permutation(layers[0].inputs)
        units = [self._draws.permutation(layer.outputs) for layer in layers[:-1]]
        places = torch.arange(layers[-1].end)[None]
        moved = places.clone()
        after = [*units, np.arange(layers[-1].outputs)]
        for layer, inputs, outputs in zip(layers, [self.pixels, *units], after, strict=True):
            layer.weight(moved)[0] = layer.weight(places)[0][outputs][:, inputs]
            layer.bias(moved)[0] = layer.bias(places)[0][outputs]
        self._places = moved[0]
        """Where each of the twin's numbers lies in its original's row."""
        begins = np.cumsum([0, *(len(some) for some in units)])
        self._units = np.concatenate([some + begin for some, begin in zip(units, begins[:-1], strict=True)])

    def within(self, batch):
        """An order for the images of a batch."""
        return self._draws.permutation(batch)

    def train(self, flat, images, epoch):
        """What the oracle makes of the twins of ``flat`` in one epoch, told as originals; and the losses."""
        twins = flat[:, self._places]
        steps = oracle.train_epoch(twins, self._layers, self._images(images), self._epoch(epoch))
        losses = oracle.end_of(steps)
        return twins[:, self._places.argsort()], losses

    def count_correct(self, flat, images):
        """What the oracle counts for the twins of ``flat``."""
        return oracle.count_correct(flat[:, self._places], self._layers, self._images(images))

    def _images(self, images):
        return Images(images.pixels[:, self.pixels], images.labels, images.mean, images.std)

    def _epoch(self, epoch):
        batches = epoch.orders.split(epoch.batch_size, 1)
        within = [self.within(batch.shape[1]) for batch in batches]
        orders = torch.cat([batch[:, order] for batch, order in zip(batches, within, strict=True)], 1)
        dropout = tuple(None if bits is None else _Masks(bits, self._units, within) for bits in epoch.dropout)
        return replace(epoch, orders=orders, dropout=dropout)


class _Masks:
    """A trial's dropout masks, for its twin."""

    def __init__(self, bits, units, within):
        self._bits, self._units, self._within = bits, units, iter(within)

    def fill(self, masks):
        self._bits.fill(masks)
        masks[:] = masks[self._units][:, next(self._within)]


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
