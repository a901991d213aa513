"""The first layer of wide networks: products with the pixels that are not black, in tiles of some vectors of units.

A network sees (pixel - centre) * scale; as in ``patches``, what centring makes of all pixels is a constant of each unit
and of each gradient. Weights are [tiles, pixels, units of a tile]. Sixty-four images at a time meet a tile. Forward,
each image adds up the weights of its pixels, one strip of the image after the other, for a strip's weights stay in the
first cache. Backward, each pixel adds up the deltas of the images that have it, and when all images have been there,
takes the optimiser's step. Units that fill up the last tile are zero and stay so.

Threads divide the images of a batch among them, and the pixels when a step is taken with the weights. Each lists the
pixels of its images, for all to use.
"""

from __future__ import annotations

import numpy as np

from psa_tui.engine.backends.numba.kernels.adamw import update
from psa_tui.engine.backends.numba.kernels.calling import Phase
from psa_tui.engine.backends.numba.kernels.compiling import kernel, part
from psa_tui.engine.backends.numba.kernels.memory import BLOCK, Task, images_of, is_first, order_of, share_of
from psa_tui.engine.backends.numba.kernels.processor import prefetch
from psa_tui.engine.backends.numba.kernels.products import sum_first_deltas
from psa_tui.engine.backends.numba.kernels.vector_type import LANES, registers
from psa_tui.engine.backends.numba.kernels.vectors import fma, load, relu, splat, splat_at, store, transpose

_AHEAD = 12
"""So many images before it is needed an image is fetched from memory."""


@part
def fetch_ahead(task: Task, order: np.ndarray, position: int, strips: int) -> None:
    """Fetch from memory what is needed some images after the one at ``position`` of ``order``."""
    begins = task.images.begins
    if position + 2 * _AHEAD < len(order):
        prefetch(begins, order[position + 2 * _AHEAD] * strips)
    if position + _AHEAD < len(order):
        ahead = order[position + _AHEAD] * strips
        begin, end = begins[np.uint64(ahead)], begins[np.uint64(ahead + strips)]
        # What is asked for lies in a line more where it does not begin with one.
        for at in range(begin, end + 32, 32):
            prefetch(task.images.ids, at)
        for at in range(begin, end + 64, 64):
            prefetch(task.images.values, at)


@part
def list_pixels(units: int, task: Task, order: np.ndarray, share: int) -> None:
    """List the pixels of a thread's images ``order`` as numbers to multiply with, and where their weights are.

    For the backward pass, list by pixel, too, which images have it, and how bright it is there.

    Args:
        units: in a tile.
        task: the steps.
        order: the images.
        share: which of the threads this is.
    """
    begins, pixel_of, values, lists = task.images.begins, task.images.ids, task.images.values, task.lists
    strips = (len(begins) - 1) // task.members.labels.shape[1]
    for block in range(lists.counts.shape[1]):
        weight_at, factors = lists.weight_at[share, block], lists.factors[share, block]
        image_begins, found = lists.image_begins[share, block], np.uint64(0)
        counts, entries = lists.counts[share, block], lists.entries[share, block]
        counts[:] = 0
        images = max(0, min(BLOCK, len(order) - block * BLOCK))
        for image in range(images):
            position = block * BLOCK + image
            fetch_ahead(task, order, position, strips)
            first = order[position] * strips
            begin, end = np.uint64(begins[np.uint64(first)]), np.uint64(begins[np.uint64(first + strips)])
            for strip in range(strips + 1):
                image_begins[image * strips + strip] = found + np.uint64(begins[np.uint64(first + strip)]) - begin
            # A loop for each list: LLVM makes vectors of these.
            for entry in range(end - begin):
                factors[found + entry] = values[begin + entry]
            for entry in range(end - begin):
                weight_at[found + entry] = np.int32(pixel_of[begin + entry]) * np.int32(units)
            found += end - begin
            if task.trains:
                for entry in range(begin, end):
                    pixel = np.uint64(pixel_of[entry])
                    count = np.uint64(counts[pixel])
                    counts[pixel] = count + np.uint64(1)
                    place = np.uint64(2) * (pixel * np.uint64(BLOCK) + count)
                    entries[place] = image
                    entries[place + np.uint64(1)] = values[entry]
        for k in range(images * strips, BLOCK * strips + 1):
            image_begins[k] = found


def phases(vectors: int) -> tuple[Phase, Phase, Phase]:
    """Return the phases that compute the first layer, sum its deltas and update it, ``vectors`` of units at once."""
    tile, units = (0,) * vectors, vectors * LANES

    @kernel
    def forward_pixels(task: Task, share: int, step: int, member: int) -> None:
        """Compute the activations of a thread's images, [blocks, rows, 64]; an order's first one lists their pixels."""
        if is_first(task, member):
            begin_image, end_image = images_of(task, step, share)
            order = task.orders[order_of(task, member)][begin_image:end_image]
            list_pixels(units, task, order, share)
        lists, weights, y = task.lists, task.members.first[0, member], task.space.activations[share]
        weight_sums, biases = task.members.weight_sums[member], task.members.rest[0, member]
        pixels, rows = lists.counts.shape[2], task.layers.rows[0]
        strips = lists.image_begins.shape[2] // BLOCK
        zero, factor = splat(weights.dtype.type(0)), splat(task.images.scale)
        offset, sums = splat(-task.images.centre * task.images.scale), lists.sums[share]
        for first in range(0, rows, units):
            for block in range(lists.counts.shape[1]):
                weight_at, factors = lists.weight_at[share, block], lists.factors[share, block]
                begins = lists.image_begins[share, block]
                for strip in range(strips):
                    for image in range(BLOCK):
                        found = registers(tile, weights)
                        for j in range(vectors):
                            found[j] = load(sums, image * units + j * LANES) if strip else zero
                        k = np.uint64(image * strips + strip)
                        for entry in range(np.uint64(begins[k]), np.uint64(begins[k + np.uint64(1)])):
                            x = splat_at(factors, entry)
                            at = first * pixels + np.int64(weight_at[entry])
                            for j in range(vectors):
                                found[j] = fma(x, load(weights, at + j * LANES), found[j])
                        for j in range(vectors):
                            store(sums, image * units + j * LANES, found[j])
                for j in range(vectors):
                    at = first + j * LANES
                    total = load(weight_sums[0], at)
                    for other in range(1, len(weight_sums)):
                        total = total + load(weight_sums[other], at)
                    # Behind the biases is more than fills up a tile.
                    constant = fma(total, offset, load(biases, at))
                    for image in range(BLOCK):
                        here = image * units + j * LANES
                        store(sums, here, relu(fma(load(sums, here), factor, constant)))
                    for image in range(0, BLOCK, LANES):
                        target = (block * rows + first + j * LANES) * BLOCK + image
                        transpose(sums, image * units + j * LANES, units, y, target, BLOCK)

    @kernel
    def update_pixels(task: Task, share: int, step: int, member: int) -> None:
        """Compute a thread's pixels' gradients and take the optimiser's step with each as soon as it is there."""
        lists, members, deltas, delta_sums = task.lists, task.members, task.space.first_deltas, task.space.delta_sums
        weights, first_moments, second_moments = (
            members.first[0, member],
            members.first[1, member],
            members.first[2, member],
        )
        weight_sums, rates, rows = members.weight_sums[member, share], task.rates[member, step], task.layers.rows[0]
        centre, scale, pixels = task.images.centre, task.images.scale, lists.counts.shape[2]
        shares, blocks = lists.counts.shape[:2]
        zero, factor = splat(weights.dtype.type(0)), splat(scale)
        sums, gradients = lists.sums[share], lists.gradients[share]
        black, totals = BLOCK * units, (BLOCK + 1) * units
        first_pixel, end_pixel = share_of(pixels, share, shares)
        for first in range(0, rows, units):
            for j in range(vectors):
                total = zero
                for other in range(shares):
                    total = total + load(delta_sums[other], first + j * LANES)
                store(sums, black + j * LANES, total * splat(centre * scale))
                store(sums, totals + j * LANES, zero)
            for number in range(shares * blocks):
                other, block = number // blocks, number % blocks
                source = other * (len(deltas) // shares) + (block * rows + first) * BLOCK
                for j in range(vectors):
                    for image in range(0, BLOCK, LANES):
                        target = image * units + j * LANES
                        transpose(deltas, source + j * LANES * BLOCK + image, BLOCK, sums, target, units)
                counts, entries = lists.counts[other, block], lists.entries[other, block]
                for pixel in range(first_pixel, end_pixel):
                    found = registers(tile, weights)
                    for j in range(vectors):
                        found[j] = load(gradients, pixel * units + j * LANES) if number else zero
                    begin = 2 * pixel * BLOCK
                    for entry in range(np.uint64(begin), np.uint64(begin + 2 * counts[np.uint64(pixel)]), np.uint64(2)):
                        x = splat(weights.dtype.type(entries[entry + np.uint64(1)]))
                        at = np.int64(entries[entry]) * units
                        for j in range(vectors):
                            found[j] = fma(x, load(sums, at + j * LANES), found[j])
                    if number < shares * blocks - 1:
                        for j in range(vectors):
                            store(gradients, pixel * units + j * LANES, found[j])
                    else:
                        for j in range(vectors):
                            gradient = found[j] * factor - load(sums, black + j * LANES)
                            at = (first * pixels + pixel * units) + j * LANES
                            new = update(gradient, at, weights, first_moments, second_moments, rates)
                            store(sums, totals + j * LANES, load(sums, totals + j * LANES) + new)
            for j in range(vectors):
                store(weight_sums, first + j * LANES, load(sums, totals + j * LANES))

    return forward_pixels, sum_first_deltas, update_pixels
