"""The first layer of wide networks: products with the pixels that are not black, in tiles of some vectors of units.

A network sees (pixel - centre) * scale; as in ``patches``, what centring makes of all pixels is a constant of each unit
and of each gradient. Weights are [tiles, pixels, units of a tile]. Sixty-four images at a time meet a tile. Forward,
each image adds up the weights of its pixels, one strip of the image after the other, for a strip's weights stay in the
first cache. Backward, each pixel adds up the deltas of the images that have it, and when all images have been there,
takes the optimiser's step. Units that fill up the last tile are zero and stay so.

Threads divide the tiles among them. Each lists the pixels of its images, for all to use.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from psa_tui.engine.backends.numba.kernels.adamw import update
from psa_tui.engine.backends.numba.kernels.compiling import kernel, part
from psa_tui.engine.backends.numba.kernels.processor import prefetch
from psa_tui.engine.backends.numba.kernels.products import BLOCK
from psa_tui.engine.backends.numba.kernels.vector_type import LANES, registers
from psa_tui.engine.backends.numba.kernels.vectors import fma, load, relu, splat, splat_at, store, transpose

Array = np.ndarray
Tile = tuple[int, ...]
_AHEAD = 12
"""So many images before it is needed an image is fetched from memory."""


class PixelLists(NamedTuple):
    """The pixels of a batch that are not black, of each block of 64 images: first by image, then by pixel."""

    image_begins: Array
    """Where those of each strip's images begin: int32 [shares, blocks, strips * 64 + 1]."""
    weight_at: Array
    """Where each one's weights begin in a tile: int32 [shares, blocks, most]."""
    weight_factors: Array
    counts: Array
    """How many images have each pixel: int64 [shares, blocks, pixels]."""
    image_of: Array
    """Their numbers in the block: uint8 [shares, blocks, pixels * 64]."""
    delta_factors: Array
    sums: Array
    """A tile's activations or deltas of a block, [64, units of a tile], and two rows more: [shares, 66 * units]."""
    gradients: Array
    """Of a tile: [shares, pixels * units]."""


@kernel
def count_pixels(pixels: Array, strip: int, begins: Array) -> None:
    """Set ``begins`` [N * strips + 1] to where those of each image's strips begin that are not black.

    ``pixels`` are uint8 [N, inputs], of which ``strip`` make a strip.
    """
    at, found = 0, 0
    for image in range(len(pixels)):
        for pixel in range(pixels.shape[1]):
            if pixel % strip == 0:
                begins[at] = found
                at += 1
            found += pixels[image, pixel] != 0
    begins[at] = found


@part
def list_pixels(
    tile: Tile,
    order: Array,
    begins: Array,
    pixel_of: Array,
    values: Array,
    share: int,
    lists: PixelLists,
    trains: bool,
) -> None:
    """List the pixels of a thread's images ``order`` by image and, for ``backward``, by pixel.

    Args:
        begins: of each image's strips; ``pixel_of`` and ``values`` are theirs.
        share: which of the threads this is.
        lists: what is set.
        trains: whether there is a backward pass.
    """
    strips, units = lists.image_begins.shape[2] // BLOCK, np.uint64(len(tile) * LANES)
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
                if strip == 0 and position + _AHEAD < len(order):
                    ahead = order[position + _AHEAD] * strips
                    for at in range(begins[ahead], begins[ahead + strips], 32):
                        prefetch(pixel_of, at)
                        prefetch(values, at)
                begin = order[position] * strips + strip
                for entry in range(np.uint64(begins[begin]), np.uint64(begins[begin + 1])):
                    pixel = np.uint64(pixel_of[entry])
                    weight_at[found] = pixel * units
                    weight_factors[found] = values[entry]
                    found += np.uint64(1)
                    if trains:
                        at_pixel = pixel * np.uint64(BLOCK) + np.uint64(counts[pixel])
                        counts[pixel] += 1
                        image_of[at_pixel] = image
                        delta_factors[at_pixel] = values[entry]
        image_begins[strips * BLOCK] = found


@part
def forward(
    tile: Tile,
    begin: int,
    end: int,
    share: int,
    lists: PixelLists,
    weights: Array,
    weight_sums: Array,
    biases: Array,
    centre: float,
    scale: float,
    activations: Array,
    rows: int,
) -> None:
    """Compute activations of the first layer, [blocks, rows, 64] at the begin of each thread's ``activations``.

    Args:
        begin: the first unit of the thread's tiles; ``end``: the first one after them.
        share: which of the threads this is.
        weight_sums: of each unit [rows].
        biases: those of the first layer come first; behind them is more than fills up a tile.
    """
    units, pixels, strips = len(tile) * LANES, lists.counts.shape[2], lists.image_begins.shape[2] // BLOCK
    zero, factor, offset = splat(weights.dtype.type(0)), splat(scale), splat(-centre * scale)
    sums = lists.sums[share]
    for first in range(begin, end, units):
        for other in range(lists.image_begins.shape[0]):
            y = activations[other]
            for block in range(lists.image_begins.shape[1]):
                begins, weight_at = lists.image_begins[other, block], lists.weight_at[other, block]
                factors = lists.weight_factors[other, block]
                for strip in range(strips):
                    for image in range(BLOCK):
                        found = registers(tile, weights)
                        for j in range(len(tile)):
                            found[j] = load(sums, image * units + j * LANES) if strip else zero
                        k = strip * BLOCK + image
                        for entry in range(np.uint64(begins[k]), np.uint64(begins[k + 1])):
                            x = splat_at(factors, entry)
                            at = first * pixels + np.int64(weight_at[entry])
                            for j in range(len(tile)):
                                found[j] = fma(x, load(weights, at + j * LANES), found[j])
                        for j in range(len(tile)):
                            store(sums, image * units + j * LANES, found[j])
                for j in range(len(tile)):
                    at = first + j * LANES
                    constant = fma(load(weight_sums, at), offset, load(biases, at))
                    for image in range(BLOCK):
                        here = image * units + j * LANES
                        store(sums, here, relu(fma(load(sums, here), factor, constant)))
                    for image in range(0, BLOCK, LANES):
                        target = (block * rows + first + j * LANES) * BLOCK + image
                        transpose(sums, image * units + j * LANES, units, y, target, BLOCK)


@part
def backward(
    tile: Tile,
    begin: int,
    end: int,
    share: int,
    lists: PixelLists,
    deltas: Array,
    rows: int,
    delta_sums: Array,
    weights: Array,
    first_moments: Array,
    second_moments: Array,
    weight_sums: Array,
    centre: float,
    scale: float,
    rates: Array,
) -> None:
    """Compute the first layer's gradients and take the optimiser's step with each as soon as it is there.

    Args:
        begin: the first unit of the thread's tiles; ``end``: the first one after them.
        share: which of the threads this is.
        deltas: the gradients of the sums before ReLU, [blocks, rows, 64] at the begin of every second part of it.
        delta_sums: theirs over the images, in parts of which each thread has one: [shares, rows].
        weight_sums: set to the sums of the new weights.
    """
    units, pixels = len(tile) * LANES, lists.counts.shape[2]
    shares, blocks = lists.image_begins.shape[:2]
    zero, factor = splat(weights.dtype.type(0)), splat(scale)
    sums, gradients = lists.sums[share], lists.gradients[share]
    black, totals = BLOCK * units, (BLOCK + 1) * units
    for first in range(begin, end, units):
        for j in range(len(tile)):
            total = zero
            for other in range(shares):
                total = total + load(delta_sums[other], first + j * LANES)
            store(sums, black + j * LANES, total * splat(centre * scale))
            store(sums, totals + j * LANES, zero)
        for number in range(shares * blocks):
            other, block = number // blocks, number % blocks
            source = (2 * other + 1) * (len(deltas) // (2 * shares)) + (block * rows + first) * BLOCK
            for j in range(len(tile)):
                for image in range(0, BLOCK, LANES):
                    target = image * units + j * LANES
                    transpose(deltas, source + j * LANES * BLOCK + image, BLOCK, sums, target, units)
            counts, image_of = lists.counts[other, block], lists.image_of[other, block]
            factors = lists.delta_factors[other, block]
            for pixel in range(pixels):
                found = registers(tile, weights)
                for j in range(len(tile)):
                    found[j] = load(gradients, pixel * units + j * LANES) if number else zero
                for entry in range(np.uint64(pixel * BLOCK), np.uint64(pixel * BLOCK + counts[pixel])):
                    x = splat_at(factors, entry)
                    at = np.int64(image_of[entry]) * units
                    for j in range(len(tile)):
                        found[j] = fma(x, load(sums, at + j * LANES), found[j])
                if number < shares * blocks - 1:
                    for j in range(len(tile)):
                        store(gradients, pixel * units + j * LANES, found[j])
                else:
                    for j in range(len(tile)):
                        gradient = found[j] * factor - load(sums, black + j * LANES)
                        at = (first * pixels + pixel * units) + j * LANES
                        new = update(gradient, at, weights, first_moments, second_moments, rates)
                        store(sums, totals + j * LANES, load(sums, totals + j * LANES) + new)
        for j in range(len(tile)):
            store(weight_sums, first + j * LANES, load(sums, totals + j * LANES))
