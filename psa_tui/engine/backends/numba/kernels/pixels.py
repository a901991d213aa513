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
from psa_tui.engine.backends.numba.kernels.memory import BLOCK, Task, share_of
from psa_tui.engine.backends.numba.kernels.processor import prefetch
from psa_tui.engine.backends.numba.kernels.products import sum_first_deltas
from psa_tui.engine.backends.numba.kernels.vector_type import LANES, registers
from psa_tui.engine.backends.numba.kernels.vectors import fma, load, relu, splat, splat_at, store, transpose

_AHEAD = 12
"""So many images before it is needed an image is fetched from memory."""


@part
def list_pixels(units: int, task: Task, share: int, step: int) -> None:
    """List the pixels of a thread's images by image and, for the backward pass, by pixel; ``units`` are in a tile."""
    begins, pixel_of, values = task.images.begins, task.images.patch_of, task.images.values
    together = task.order[step * task.batch : (step + 1) * task.batch]
    begin_image, end_image = share_of(len(together), share, len(task.space.activations))
    order, lists, trains = together[begin_image:end_image], task.lists, task.trains
    strips, stride = lists.image_begins.shape[2] // BLOCK, np.uint64(units)
    for block in range(lists.image_begins.shape[1]):
        image_begins, counts = lists.image_begins[share, block], lists.counts[share, block]
        weight_at, weight_factors = lists.weight_at[share, block], lists.weight_factors[share, block]
        image_of, delta_factors = lists.image_of[share, block], lists.delta_factors[share, block]
        counts[:] = 0
        found = np.uint64(0)
        for strip in range(strips):
            for image in range(BLOCK):
                image_begins[strip * BLOCK + image] = found
                position = block * BLOCK + image
                if position >= len(order):
                    continue
                if strip == 0 and position + 2 * _AHEAD < len(order):
                    prefetch(begins, order[position + 2 * _AHEAD] * strips)
                if strip == 0 and position + _AHEAD < len(order):
                    ahead = order[position + _AHEAD] * strips
                    for at in range(begins[ahead], begins[ahead + strips] + 32, 32):
                        prefetch(pixel_of, at)
                        prefetch(values, at)
                begin = order[position] * strips + strip
                for entry in range(np.uint64(begins[begin]), np.uint64(begins[begin + 1])):
                    pixel = np.uint64(pixel_of[entry])
                    weight_at[found] = pixel * stride
                    weight_factors[found] = values[entry]
                    found += np.uint64(1)
                    if trains:
                        at_pixel = pixel * np.uint64(BLOCK) + np.uint64(counts[pixel])
                        counts[pixel] += 1
                        image_of[at_pixel] = image
                        delta_factors[at_pixel] = values[entry]
        image_begins[strips * BLOCK] = found


def phases(vectors: int) -> tuple[Phase, Phase, Phase]:
    """Return the phases that compute the first layer, sum its deltas and update it, ``vectors`` of units at once."""
    tile, units = (0,) * vectors, vectors * LANES

    @kernel
    def forward_pixels(task: Task, share: int, step: int, member: int) -> None:
        """Compute the activations of a thread's images, [blocks, rows, 64]; for the first member, list their pixels."""
        if member == 0:
            list_pixels(units, task, share, step)
        lists, weights, y = task.lists, task.members.first[0, member], task.space.activations[share]
        weight_sums, biases = task.members.weight_sums[member], task.members.rest[0, member]
        pixels, strips, rows = lists.counts.shape[2], lists.image_begins.shape[2] // BLOCK, task.layers.rows[0]
        zero, factor = splat(weights.dtype.type(0)), splat(task.images.scale)
        offset, sums = splat(-task.images.centre * task.images.scale), lists.sums[share]
        for first in range(0, rows, units):
            for block in range(lists.image_begins.shape[1]):
                begins, weight_at = lists.image_begins[share, block], lists.weight_at[share, block]
                factors = lists.weight_factors[share, block]
                for strip in range(strips):
                    for image in range(BLOCK):
                        found = registers(tile, weights)
                        for j in range(vectors):
                            found[j] = load(sums, image * units + j * LANES) if strip else zero
                        k = strip * BLOCK + image
                        for entry in range(np.uint64(begins[k]), np.uint64(begins[k + 1])):
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
        lists, members, deltas, delta_sums = task.lists, task.members, task.space.deltas, task.space.delta_sums
        weights, first_moments, second_moments = (
            members.first[0, member],
            members.first[1, member],
            members.first[2, member],
        )
        weight_sums, rates, rows = members.weight_sums[member, share], task.rates[member, step], task.layers.rows[0]
        centre, scale, pixels = task.images.centre, task.images.scale, lists.counts.shape[2]
        shares, blocks = lists.image_begins.shape[:2]
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
                source = (2 * other + 1) * (len(deltas) // (2 * shares)) + (block * rows + first) * BLOCK
                for j in range(vectors):
                    for image in range(0, BLOCK, LANES):
                        target = image * units + j * LANES
                        transpose(deltas, source + j * LANES * BLOCK + image, BLOCK, sums, target, units)
                counts, image_of = lists.counts[other, block], lists.image_of[other, block]
                factors = lists.delta_factors[other, block]
                for pixel in range(first_pixel, end_pixel):
                    found = registers(tile, weights)
                    for j in range(vectors):
                        found[j] = load(gradients, pixel * units + j * LANES) if number else zero
                    for entry in range(np.uint64(pixel * BLOCK), np.uint64(pixel * BLOCK + counts[pixel])):
                        x = splat_at(factors, entry)
                        at = np.int64(image_of[entry]) * units
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
