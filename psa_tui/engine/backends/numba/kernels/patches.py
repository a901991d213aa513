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
from psa_tui.engine.backends.numba.kernels.compiling import kernel, part
from psa_tui.engine.backends.numba.kernels.processor import prefetch
from psa_tui.engine.backends.numba.kernels.products import BLOCK
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

Array = np.ndarray
Tile = tuple[int, ...]
_AHEAD = 12
"""So many images before it is needed an image is fetched from memory."""


@kernel
def count_patches(pixels: Array, order: Array, begins: Array) -> None:
    """Set ``begins`` [N + 1] to where each image's patches begin; ``pixels`` are uint8 [N, inputs].

    ``order`` [patches * 16] says which pixel is where in the patches; -1 where none is.
    """
    begins[0] = 0
    for image in range(len(pixels)):
        found = 0
        for patch in range(len(order) // LANES):
            for at in range(patch * LANES, patch * LANES + LANES):
                if order[at] >= 0 and pixels[image, order[at]]:
                    found += 1
                    break
        begins[image + 1] = begins[image] + found


@kernel
def copy_patches(pixels: Array, order: Array, begins: Array, patch_of: Array, values: Array) -> None:
    """Write the number [E] and the pixels uint8 [E * 16] of every patch that ``count_patches`` counted."""
    for image in range(len(pixels)):
        entry = begins[image]
        for patch in range(len(order) // LANES):
            inked = False
            for at in range(patch * LANES, patch * LANES + LANES):
                if order[at] >= 0 and pixels[image, order[at]]:
                    inked = True
                    break
            if inked:
                patch_of[entry] = patch
                for lane in range(LANES):
                    at = order[patch * LANES + lane]
                    values[entry * LANES + lane] = pixels[image, at] if at >= 0 else 0
                entry += 1


@part
def sort_by_patch(
    order: Array,
    begins: Array,
    patch_of: Array,
    values: Array,
    rows: int,
    base: int,
    counts: Array,
    list_values: Array,
    list_images: Array,
    lists: bool,
) -> None:
    """Fetch the images ``order`` from memory, and add their patches to the lists of each patch, for ``backward``.

    Args:
        begins: of each image's patches; ``patch_of`` and ``values`` are theirs.
        rows: of the first layer's activations, [blocks, rows, 64].
        base: where these begin.
        counts: how long each patch's list is: int64 [patches].
        list_values: the pixels, uint8 [patches, longest, 16].
        list_images: where the image's first row lies in the activations: int32 [patches, longest].
        lists: whether there is a backward pass.
    """
    longest = list_images.shape[1]
    for position in range(len(order)):
        if position + 2 * _AHEAD < len(order):
            prefetch(begins, order[position + 2 * _AHEAD])
        if position + _AHEAD < len(order):
            ahead = order[position + _AHEAD]
            prefetch(patch_of, begins[ahead])
            for at in range(begins[ahead] * LANES, begins[ahead + 1] * LANES + 64, 64):
                prefetch(values, at)
        if not lists:
            continue
        image = order[position]
        where = base + (position // BLOCK) * rows * BLOCK + position % BLOCK
        for entry in range(begins[image], begins[image + 1]):
            patch = np.int64(patch_of[entry])
            count = counts[patch]
            counts[patch] = count + 1
            list_images[patch, count] = where
            copy_bytes(list_values, (patch * longest + count) * LANES, values, entry * LANES)


@part
def forward(
    tile: Tile,
    begin: int,
    end: int,
    order: Array,
    begins: Array,
    patch_of: Array,
    values: Array,
    patches: int,
    weights: Array,
    weight_sums: Array,
    biases: Array,
    width: int,
    centre: float,
    scale: float,
    y: Array,
    rows: int,
    blocks: int,
    scratch: Array,
) -> None:
    """Compute activations of the first layer, [blocks, rows, 64], for the images ``order``.

    Args:
        begin: the first unit of the thread's tiles; ``end``: the first one after them.
        weight_sums: of each unit [rows].
        biases: those of ``width`` units come first.
        scratch: [len(tile) * 16 * 16].
    """
    units = len(tile)
    zero = splat(weights.dtype.type(0))
    for first in range(begin, end, units):
        for group in range(blocks * BLOCK // LANES):
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
                    constant = biases[first + j] - centre * scale * weight_sums[first + j]
                    found = fma(transposed_sums(scratch, j * LANES * LANES), splat(scale), splat(constant))
                    store(y, target + (first + j) * BLOCK, relu(found))


@part
def backward(
    tile: Tile,
    begin_unit: int,
    end_unit: int,
    counts: Array,
    list_values: Array,
    list_images: Array,
    deltas: Array,
    delta_sums: Array,
    live_tiles: Array,
    weights: Array,
    first_moments: Array,
    second_moments: Array,
    weight_sums: Array,
    real: Array,
    centre: float,
    scale: float,
    rates: Array,
    scratch: Array,
) -> None:
    """Compute the first layer's gradients and take the optimiser's step with each as soon as it is there.

    Args:
        begin_unit: the first unit of the thread's tiles; ``end_unit``: the first one after them.
        counts: the batch's patches, as ``sort_by_patch`` makes them, with ``list_values`` and ``list_images``.
        deltas: the gradients of the sums before ReLU, where ``list_images`` says.
        delta_sums: theirs over the images, in parts of which each thread has one: [shares, rows].
        live_tiles: whether any unit of a tile has a delta that is not zero, likewise: [shares, tiles].
        weight_sums: set to the sums of the new weights.
        real: 1 where a pixel is, 0 where a patch is filled up [patches * 16].
    """
    units, patches, longest = len(tile), len(counts), list_images.shape[1]
    zero = splat(weights.dtype.type(0))
    for first in range(begin_unit, end_unit, units):
        live = False
        for share in range(len(live_tiles)):
            live = live or live_tiles[share, first // units]
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
                for share in range(1, len(delta_sums)):
                    total += delta_sums[share, first + j]
                black = splat(centre * scale * total)
                gradient = sums[j] * splat(scale) - here * black
                new = update(gradient, begin + j * LANES, weights, first_moments, second_moments, rates)
                store(scratch, j * LANES, load(scratch, j * LANES) + new)
        store(scratch, LANES * LANES, transposed_sums(scratch, 0))
        for j in range(units):
            weight_sums[first + j] = scratch[LANES * LANES + j]
