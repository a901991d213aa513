"""The first layer of narrow networks: products with patches of sixteen pixels, those that are not all black.

A network sees (pixel - centre) * scale. Only pixels are multiplied; what centring makes of all of them is a constant of
each unit, -centre * scale times the sum of its weights, and of each gradient, -centre * scale times the sum of the
deltas. Weights are [tiles, patches, len(tile), 16]: a tile of units passes over the images together. Units and pixels
that fill up the last tile and patch are zero and stay so.

Threads divide the images of a batch among them, and the patches when a step is taken with the weights.
"""

from __future__ import annotations

import numpy as np

from psa_tui.engine.backends.numba.kernels.adamw import update
from psa_tui.engine.backends.numba.kernels.calling import Phase
from psa_tui.engine.backends.numba.kernels.compiling import kernel
from psa_tui.engine.backends.numba.kernels.memory import BLOCK, Task, share_of
from psa_tui.engine.backends.numba.kernels.processor import prefetch
from psa_tui.engine.backends.numba.kernels.vector_type import LANES, registers
from psa_tui.engine.backends.numba.kernels.vectors import (
    copy_bytes,
    fma,
    load,
    load_bytes,
    relu,
    splat,
    splat_at,
    store,
    transposed_sums,
)

_AHEAD = 12
"""So many images before it is needed an image is fetched from memory."""


@kernel
def list_patches(task: Task, share: int, step: int, member: int) -> None:
    """Fetch a thread's images from memory and, for the backward pass, list them by patch, for all threads to use.

    A patch's list has the sixteen pixels of each image that is not black there, and where the image's first row lies in
    the activations [blocks, rows, 64].
    """
    begins, patch_of, values = task.images.begins, task.images.patch_of, task.images.values
    space, rows, order = task.space, task.layers.rows[0], task.order
    counts, list_values, list_images = space.list_counts[share], space.list_values[share], space.list_images[share]
    shares, longest, first_image = len(space.activations), space.list_images.shape[2], step * task.batch
    begin, end = share_of(min(task.batch, len(order) - first_image), share, shares)
    base = (2 * share + 1) * (len(space.deltas) // (2 * shares))
    counts[:] = 0
    for position in range(end - begin):
        here = first_image + begin + position
        # After its last image of this batch a thread needs its first of the next one.
        ahead = here + _AHEAD + (task.batch - (end - begin) if position + _AHEAD >= end - begin else 0)
        further = here + 2 * _AHEAD + (task.batch - (end - begin) if position + 2 * _AHEAD >= end - begin else 0)
        if further < len(order):
            prefetch(begins, order[further])
        if ahead < len(order):
            image = order[ahead]
            prefetch(patch_of, begins[image])
            for at in range(begins[image] * LANES, begins[image + 1] * LANES + 64, 64):
                prefetch(values, at)
        if not task.trains:
            continue
        image = order[here]
        where = base + (position // BLOCK) * rows * BLOCK + position % BLOCK
        for entry in range(begins[image], begins[image + 1]):
            patch = np.int64(patch_of[entry])
            count = counts[patch]
            counts[patch] = count + 1
            list_images[patch, count] = where
            copy_bytes(list_values, (patch * longest + count) * LANES, values, entry * LANES)


def phases(units: int) -> tuple[Phase, Phase, Phase]:
    """Return the phases that list patches, compute the first layer and update it; the last two do ``units`` at once."""
    tile = (0,) * units

    @kernel
    def forward_patches(task: Task, share: int, step: int, member: int) -> None:
        """Compute the activations of a thread's images, [blocks, rows, 64]."""
        begins, patch_of, values = task.images.begins, task.images.patch_of, task.images.values
        weights, sums_of_weights = task.members.first[0, member], task.members.weight_sums[member]
        biases, width, rows = task.members.rest[0, member], task.layers.widths[0], task.layers.rows[0]
        centre, scale, patches = task.images.centre, task.images.scale, len(task.images.real) // LANES
        scratch, shares, first_image = task.space.scratch[share], len(task.space.activations), step * task.batch
        begin, end = share_of(min(task.batch, len(task.order) - first_image), share, shares)
        order, y = task.order[first_image + begin : first_image + end], task.space.activations[share]
        zero = splat(weights.dtype.type(0))
        for first in range(0, rows, units):
            for group in range(-(-len(order) // BLOCK) * BLOCK // LANES):
                for lane in range(LANES):
                    sums = registers(tile, weights)
                    for j in range(units):
                        sums[j] = zero
                    position = group * LANES + lane
                    if position < len(order):
                        image = order[position]
                        for entry in range(begins[image], begins[image + 1]):
                            x = load_bytes(values, entry * LANES, weights)
                            at = (first * patches + np.int64(patch_of[entry]) * units) * LANES
                            for j in range(units):
                                sums[j] = fma(x, load(weights, at + j * LANES), sums[j])
                    for j in range(units):
                        store(scratch, (j * LANES + lane) * LANES, sums[j])
                target = (group * LANES // BLOCK) * rows * BLOCK + group * LANES % BLOCK
                for j in range(units):
                    if first + j < width:
                        total = sums_of_weights[0, first + j]
                        for other in range(1, shares):
                            total += sums_of_weights[other, first + j]
                        constant = biases[first + j] - centre * scale * total
                        found = fma(transposed_sums(scratch, j * LANES * LANES), splat(scale), splat(constant))
                        store(y, target + (first + j) * BLOCK, relu(found))

    @kernel
    def update_patches(task: Task, share: int, step: int, member: int) -> None:
        """Compute a thread's patches' gradients and take the optimiser's step with each as soon as it is there."""
        space, members, deltas, delta_sums = task.space, task.members, task.space.deltas, task.space.delta_sums
        weights, first_moments, second_moments = (
            members.first[0, member],
            members.first[1, member],
            members.first[2, member],
        )
        sums_of_weights, rates, real = members.weight_sums[member, share], task.rates[member, step], task.images.real
        centre, scale, patches = task.images.centre, task.images.scale, len(real) // LANES
        scratch, longest, shares = space.scratch[share], space.list_images.shape[2], len(space.activations)
        first_patch, end_patch = share_of(patches, share, shares)
        zero = splat(weights.dtype.type(0))
        for first in range(0, task.layers.rows[0], units):
            live = False
            for other in range(shares):
                live = live or space.live_tiles[other, first // units]
            for j in range(LANES):
                store(scratch, j * LANES, zero)
            for patch in range(first_patch, end_patch):
                sums = registers(tile, weights)
                for j in range(units):
                    sums[j] = zero
                for other in range(shares if live else 0):
                    list_values, list_images = space.list_values[other], space.list_images[other]
                    for entry in range(space.list_counts[other, patch]):
                        x = load_bytes(list_values, (patch * longest + entry) * LANES, weights)
                        at = np.int64(list_images[patch, entry]) + first * BLOCK
                        for j in range(units):
                            sums[j] = fma(x, splat_at(deltas, at + j * BLOCK), sums[j])
                here = load(real, patch * LANES)
                begin = (first * patches + patch * units) * LANES
                for j in range(units):
                    total = delta_sums[0, first + j]
                    for other in range(1, shares):
                        total += delta_sums[other, first + j]
                    black = splat(centre * scale * total)
                    gradient = sums[j] * splat(scale) - here * black
                    new = update(gradient, begin + j * LANES, weights, first_moments, second_moments, rates)
                    store(scratch, j * LANES, load(scratch, j * LANES) + new)
            store(scratch, LANES * LANES, transposed_sums(scratch, 0))
            for j in range(units):
                sums_of_weights[first + j] = scratch[LANES * LANES + j]

    return list_patches, forward_patches, update_patches
