"""Softmax and cross-entropy, and the gradient of their mean over a batch: (p - onehot) / batch."""

from __future__ import annotations

import math

import numpy as np

from psa_tui.engine.backends.numba.kernels.compiling import kernel
from psa_tui.engine.backends.numba.kernels.memory import BLOCK, Task, images_of, order_of
from psa_tui.engine.backends.numba.kernels.vector_type import LANES
from psa_tui.engine.backends.numba.kernels.vectors import (
    count_at_least,
    exponential,
    load,
    maximum,
    splat,
    store,
    sum_of,
    where_equal,
)


@kernel
def count_correct(task: Task, share: int, step: int, member: int) -> None:
    """Count for how many of a thread's images the label is the first of the largest logits; mark active units."""
    activation_at, widths, live = task.space.activation_at, task.layers.widths, task.space.live[share]
    last, logits, correct = len(widths) - 1, task.space.activations[share], 0
    labels, classes = task.members.labels[task.members.labels_of[member]], widths[last]
    order, (begin, end) = task.orders[order_of(task, member)], images_of(task, step, share)
    for image in range(end - begin):
        base = activation_at[last] + (image // BLOCK) * classes * BLOCK + image % BLOCK
        best, most = 0, logits[base]
        for row in range(1, classes):
            if logits[base + row * BLOCK] > most:
                best, most = row, logits[base + row * BLOCK]
        correct += best == labels[order[begin + image]]
    task.correct[share, member, step] = correct
    for layer in range(last):
        unit = task.layers.hidden_at[layer]
        if unit >= 0:
            for position in range(task.space.live_counts[share, layer]):
                task.active[member, unit + live[layer, position]] = True


@kernel
def loss_and_gradient(task: Task, share: int, step: int, member: int) -> None:
    """Note the sum of a thread's losses and its correct answers, and turn logits into gradients in place.

    Of no image, gradients are zero. An answer is correct where no logit exceeds the label's, and all are numbers.
    """
    last = len(task.layers.widths) - 1
    logits, at = task.space.activations[share], task.space.activation_at[last]
    scratch, order, number = task.space.scratch[share], task.orders[order_of(task, member)], logits.dtype.type
    labels, classes = task.members.labels[task.members.labels_of[member]], task.layers.widths[last]
    first_image, end_image = images_of(task, step, share)
    batch = min(task.batch, len(order) - step * task.batch)
    scale, loss, correct = number(1.0) / number(batch), 0.0, 0
    count = end_image - first_image
    none = splat(number(-1))
    for begin in range(0, -(-count // BLOCK) * BLOCK, LANES):
        base = at + (begin // BLOCK) * classes * BLOCK + begin % BLOCK
        images = min(LANES, max(0, count - begin))
        store(scratch, 0, none)
        for image in range(images):
            scratch[image] = labels[np.uint64(order[np.uint64(first_image + begin + image)])]
        label = load(scratch, 0)
        most, target = load(logits, base), splat(number(math.nan))
        for row in range(classes):
            logit = load(logits, base + row * BLOCK)
            most = maximum(logit, most)
            target = where_equal(label, splat(number(row)), logit, target)
        total = splat(number(0))
        for row in range(classes):
            power = exponential(load(logits, base + row * BLOCK) - most)
            store(logits, base + row * BLOCK, power)
            total = total + power
        # A maximum passes over what is not a number, a sum of powers does not.
        correct += count_at_least(target, most + (total - total))
        loss += sum_of(where_equal(label, none, splat(number(0)), most - target))
        # One logarithm of a product: what is at most the number of classes does not overflow, in float64.
        store(scratch, 0, total)
        product = 1.0
        for image in range(images):
            product *= scratch[image]
        loss += math.log(product)
        share_of_one, whole = splat(scale) / total, splat(scale)
        for row in range(classes):
            found = load(logits, base + row * BLOCK) * share_of_one
            found = where_equal(label, splat(number(row)), found - whole, found)
            store(logits, base + row * BLOCK, where_equal(label, none, splat(number(0)), found))
    task.losses[share, member, step] = loss
    task.correct[share, member, step] = correct
