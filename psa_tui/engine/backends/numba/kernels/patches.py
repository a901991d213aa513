"""The first layer of narrow networks: products with patches of sixteen pixels, those that are not all black.

A network sees (pixel - centre) * scale. Only pixels are multiplied; what centring makes of all of them is a constant of
each unit, -centre * scale times the sum of its weights, and of each gradient, -centre * scale times the sum of the
deltas. Weights are [tiles, patches, len(tile), 16]: a tile of units passes over the images together. Units and pixels
that fill up the last tile and patch are zero and stay so.

Threads divide the tiles among them and pass over all images: weights and gradients stay with the thread whose they are.
"""

from __future__ import annotations

import numpy as np

from psa_tui.engine.backends.numba.kernels.adamw import update
from psa_tui.engine.backends.numba.kernels.calling import Phase
from psa_tui.engine.backends.numba.kernels.compiling import kernel
from psa_tui.engine.backends.numba.kernels.memory import BLOCK, Task, share_of, units_of
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
    """Fetch all images of the batch from memory and, for the backward pass, list them by patch: each thread needs all.

    A patch's list has the sixteen pixels of each image that is not black there, and where the image's first row lies in
    the activations [blocks, rows, 64].
    """
    begins, patch_of, values = task.images.begins, task.images.patch_of, task.images.values
    space, rows, order = task.space, task.layers.rows[0], task.order
    counts, list_values, list_images = space.list_counts[share], space.list_values[share], space.list_images[share]
    shares, longest, first_image = len(space.activations), space.list_images.shape[2], step * task.batch
    together = min(task.batch, len(order) - first_image)
    counts[:] = 0
    for other in range(shares):
        begin, end = share_of(together, other, shares)
        base = (2 * other + 1) * (len(space.deltas) // (2 * shares))
        for position in range(end - begin):
            here = first_image + begin + position
            if here + 2 * _AHEAD < len(order):
                prefetch(begins, order[here + 2 * _AHEAD])
            if here + _AHEAD < len(order):
                ahead = order[here + _AHEAD]
                prefetch(patch_of, begins[ahead])
                for at in range(begins[ahead] * LANES, begins[ahead + 1] * LANES + 64, 64):
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
        """Compute the activations of a thread's units, [blocks, rows, 64], for all images."""
        begins, patch_of, values = task.images.begins, task.images.patch_of, task.images.values
        weights, sums_of_weights = task.members.first[0, member], task.members.weight_sums[member]
        biases, width, rows = task.members.rest[0, member], task.layers.widths[0], task.layers.rows[0]
        centre, scale, patches = task.images.centre, task.images.scale, len(task.images.real) // LANES
        scratch, shares, together = (
            task.space.scratch[share],
            len(task.space.activations),
            task.order[step * task.batch : (step + 1) * task.batch],
        )
        first_unit, end_unit = units_of(task.layers.rows[0], units, share, len(task.space.activations))
        zero = splat(weights.dtype.type(0))
        for other in range(shares):
            first_image, end_image = share_of(len(together), other, shares)
            order, y = together[first_image:end_image], task.space.activations[other]
            for first in range(first_unit, end_unit, units):
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
                            constant = biases[first + j] - centre * scale * sums_of_weights[first + j]
                            found = fma(transposed_sums(scratch, j * LANES * LANES), splat(scale), splat(constant))
                            store(y, target + (first + j) * BLOCK, relu(found))

    @kernel
    def update_patches(task: Task, share: int, step: int, member: int) -> None:
        """Compute the gradients of a thread's units and take the optimiser's step with each as soon as it is there."""
        space, members, deltas, delta_sums = task.space, task.members, task.space.deltas, task.space.delta_sums
        weights, first_moments, second_moments = (
            members.first[0, member],
            members.first[1, member],
            members.first[2, member],
        )
        sums_of_weights, rates, real = members.weight_sums[member], task.rates[member, step], task.images.real
        centre, scale, patches = task.images.centre, task.images.scale, len(real) // LANES
        counts, list_values, list_images = space.list_counts[share], space.list_values[share], space.list_images[share]
        scratch, longest = space.scratch[share], list_images.shape[1]
        first_unit, end_unit = units_of(task.layers.rows[0], units, share, len(task.space.activations))
        zero = splat(weights.dtype.type(0))
        for first in range(first_unit, end_unit, units):
            live = False
            for other in range(len(space.live_tiles)):
                live = live or space.live_tiles[other, first // units]
            for j in range(LANES):
                store(scratch, j * LANES, zero)
            for patch in range(patches):
                sums = registers(tile, weights)
                for j in range(units):
                    sums[j] = zero
                if live:
                    for entry in range(counts[patch]):
                        x = load_bytes(list_values, (patch * longest + entry) * LANES, weights)
                        at = np.int64(list_images[patch, entry]) + first * BLOCK
                        for j in range(units):
                            sums[j] = fma(x, splat_at(deltas, at + j * BLOCK), sums[j])
                here = load(real, patch * LANES)
                begin = (first * patches + patch * units) * LANES
                for j in range(units):
                    total = delta_sums[0, first + j]
                    for other in range(1, len(delta_sums)):
                        total += delta_sums[other, first + j]
                    black = splat(centre * scale * total)
                    gradient = sums[j] * splat(scale) - here * black
                    new = update(gradient, begin + j * LANES, weights, first_moments, second_moments, rates)
                    store(scratch, j * LANES, load(scratch, j * LANES) + new)
            store(scratch, LANES * LANES, transposed_sums(scratch, 0))
            for j in range(units):
                sums_of_weights[first + j] = scratch[LANES * LANES + j]

    return list_patches, forward_patches, update_patches
