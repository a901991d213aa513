"""Layers that no image can activate, so that what a network learns depends on none of its pixels."""

from __future__ import annotations

import math

import numpy as np

from psa_tui.engine.backend import Epoch
from psa_tui.engine.backends.numba.kernels.memory import Patches
from psa_tui.networks.stacked import StackedNetwork

_LARGEST = math.log(np.finfo(np.float32).max) - 1
"""The logarithm of what no sum may reach; less one, for what is rounded on the way."""


def unreached_layers(rows: np.ndarray, network: StackedNetwork, epoch: Epoch, images: Patches) -> np.ndarray:
    """Return the last hidden layer of each member that no image can activate: int64 [M], 0 where there is none.

    What a layer after the first sees is never negative, so no image activates a unit without a positive weight or bias,
    as an ablated one is. Where all of a layer are such units, nothing passes it: the layers after it see zeros, and up
    to it all gradients are zero, so that an optimiser that begins afresh only lets weights decay, which keeps their
    signs. That holds for the whole epoch. Nearly each network of many layers of one unit has such a layer (Lu et al.
    2020, "Dying ReLU and Initialization: Theory and Numerical Examples": it is born dead).

    Args:
        rows: the weights that the epoch begins with [M, parameters].
        network: whose weights these are.
        epoch: of these members.
        images: that they are trained with.
    """
    layers, hyperparameters = network.layers, epoch.hyperparameters
    most_decay = hyperparameters.learning_rate * max(epoch.weight_decay)
    if epoch.moments is not None or most_decay > 1 or any(layer.skip for layer in layers):
        return np.zeros(len(rows), np.int64)
    begins = [layer.offset for layer in layers]
    blocked = np.logical_and.reduceat(rows <= 0, begins, axis=1)
    blocked[:, [0, -1]] = False
    blocked[[draws is not None for draws in epoch.dropout]] = False
    last = np.where(blocked.any(1), len(layers) - 1 - blocked[:, ::-1].argmax(1), 0)
    if not last.any():
        return last
    # A product with a number that is too large would not be zero but none. No activation is larger than the largest
    # pixel times, for each layer, the sum of its largest weights.
    sums = np.maximum.reduceat(np.abs(rows), begins, axis=1) * np.array([layer.inputs + 1.0 for layer in layers])
    pixel = (255 + abs(images.centre)) * max(1.0, images.scale)
    return np.where(np.log(np.maximum(sums, 1)).sum(1) + math.log(pixel) < _LARGEST, last, 0)
