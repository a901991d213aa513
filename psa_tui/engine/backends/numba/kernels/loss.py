"""Softmax and cross-entropy, and the gradient of their mean over a batch: (p - onehot) / batch."""

from __future__ import annotations

import math

from psa_tui.engine.backends.numba.kernels.compiling import kernel
from psa_tui.engine.backends.numba.kernels.memory import BLOCK, Task, share_of
from psa_tui.engine.backends.numba.kernels.vector_type import LANES
from psa_tui.engine.backends.numba.kernels.vectors import count_at_least, exponential, load, maximum, splat, store


@kernel
def count_correct(task: Task, share: int, step: int, member: int) -> None:
    """Count for how many of a thread's images the label is the first of the largest logits; mark active units."""
    activation_at, widths, live = task.space.activation_at, task.layers.widths, task.space.live[share]
    last, logits, correct = len(widths) - 1, task.space.activations[share], 0
    labels, classes, begin = task.members.labels[task.members.labels_of[member]], widths[last], step * task.batch
    begin_image, end_image = share_of(min(task.batch, len(task.order) - begin), share, len(task.space.activations))
    for image in range(end_image - begin_image):
        base = activation_at[last] + (image // BLOCK) * classes * BLOCK + image % BLOCK
        best, most = 0, logits[base]
        for row in range(1, classes):
            if logits[base + row * BLOCK] > most:
                best, most = row, logits[base + row * BLOCK]
        correct += best == labels[task.order[begin + begin_image + image]]
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
    scratch, order, number = task.space.scratch[share], task.order, logits.dtype.type
    labels, classes = task.members.labels[task.members.labels_of[member]], task.layers.widths[last]
    first_image = step * task.batch
    batch = min(task.batch, len(order) - first_image)
    begin_image, end_image = share_of(batch, share, len(task.space.activations))
    scale, loss, correct = number(1.0) / number(batch), 0.0, 0
    first_image += begin_image
    count = end_image - begin_image
    for begin in range(0, -(-count // BLOCK) * BLOCK, LANES):
        base = at + (begin // BLOCK) * classes * BLOCK + begin % BLOCK
        images = min(LANES, max(0, count - begin))
        most = load(logits, base)
        for row in range(1, classes):
            most = maximum(load(logits, base + row * BLOCK), most)
        for image in range(images):
            target = logits[base + labels[order[first_image + begin + image]] * BLOCK + image]
            loss -= target
            scratch[2 * LANES + image] = target
        for image in range(images, LANES):
            scratch[2 * LANES + image] = math.nan
        total = splat(number(0))
        for row in range(classes):
            power = exponential(load(logits, base + row * BLOCK) - most)
            store(logits, base + row * BLOCK, power)
            total = total + power
        store(scratch, 0, total)
        store(scratch, LANES, most)
        for image in range(images):
            loss += math.log(scratch[image]) + scratch[LANES + image]
        # A maximum passes over what is not a number, a sum of powers does not.
        correct += count_at_least(load(scratch, 2 * LANES), most + (total - total))
        share_of_one = splat(scale) / total
        for row in range(classes):
            store(logits, base + row * BLOCK, load(logits, base + row * BLOCK) * share_of_one)
        for image in range(images):
            logits[base + labels[order[first_image + begin + image]] * BLOCK + image] -= scale
        for image in range(images, LANES):
            for row in range(classes):
                logits[base + row * BLOCK + image] = number(0)
    task.losses[share, member, step] = loss
    task.correct[share, member, step] = correct
