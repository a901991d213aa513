"""Softmax and cross-entropy, and the gradient of their mean over a batch: (p - onehot) / batch."""

from __future__ import annotations

import math

import numpy as np

from psa_tui.engine.backends.numba.kernels.compiling import part
from psa_tui.engine.backends.numba.kernels.products import BLOCK
from psa_tui.engine.backends.numba.kernels.vector_type import LANES
from psa_tui.engine.backends.numba.kernels.vectors import exponential, load, maximum, splat, store

Array = np.ndarray


@part
def loss_and_gradient(
    logits: Array, at: int, classes: int, labels: Array, order: Array, batch: int, blocks: int, scratch: Array
) -> float:
    """Return the sum of the losses of the images ``order``, and turn logits into gradients in place.

    Args:
        logits: [blocks, classes, 64] at ``at``; what is beyond the images gets gradients of zero.
        labels: the class of every image of the data set.
        batch: how many images all threads together have.
        scratch: [2 * 16].
    """
    number = logits.dtype.type
    scale, loss = number(1.0) / number(batch), 0.0
    for begin in range(0, blocks * BLOCK, LANES):
        base = at + (begin // BLOCK) * classes * BLOCK + begin % BLOCK
        images = min(LANES, max(0, len(order) - begin))
        most = load(logits, base)
        for row in range(1, classes):
            most = maximum(load(logits, base + row * BLOCK), most)
        for image in range(images):
            loss -= logits[base + labels[order[begin + image]] * BLOCK + image]
        total = splat(number(0))
        for row in range(classes):
            power = exponential(load(logits, base + row * BLOCK) - most)
            store(logits, base + row * BLOCK, power)
            total = total + power
        store(scratch, 0, total)
        store(scratch, LANES, most)
        for image in range(images):
            loss += math.log(scratch[image]) + scratch[LANES + image]
        share = splat(scale) / total
        for row in range(classes):
            store(logits, base + row * BLOCK, load(logits, base + row * BLOCK) * share)
        for image in range(images):
            logits[base + labels[order[begin + image]] * BLOCK + image] -= scale
        for image in range(images, LANES):
            for row in range(classes):
                logits[base + row * BLOCK + image] = number(0)
    return loss


@part
def count_correct(logits: Array, at: int, classes: int, labels: Array, order: Array) -> int:
    """Return for how many of the images ``order`` [batch] the label is the first of the largest logits."""
    correct = 0
    for image in range(len(order)):
        base = at + (image // BLOCK) * classes * BLOCK + image % BLOCK
        best, most = 0, logits[base]
        for row in range(1, classes):
            if logits[base + row * BLOCK] > most:
                best, most = row, logits[base + row * BLOCK]
        correct += best == labels[order[image]]
    return correct
