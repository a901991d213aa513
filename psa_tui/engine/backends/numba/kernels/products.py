"""Products of layers after the first, for blocks of 64 images, over live units only.

Activations are feature-major: [blocks, rows, 64]; a layer's row is a unit. A unit that is zero for every image of the
batch, as half of them are in deep narrow networks, adds nothing to any sum; lists of the live ones leave it out, and
no number changes by that.
"""

from __future__ import annotations

import numpy as np

from psa_tui.engine.backends.numba.kernels.compiling import part
from psa_tui.engine.backends.numba.kernels.vector_type import LANES, registers
from psa_tui.engine.backends.numba.kernels.vectors import (
    any_nonzero,
    fma,
    load,
    relu,
    splat,
    splat_at,
    store,
    sum_of,
    where_active,
)

BLOCK = 64
"""Images that lie side by side."""

Array = np.ndarray
Tile = tuple[int, ...]


@part
def find_live_units(y: Array, at: int, rows: int, width: int, images: int, live: Array) -> int:
    """List in ``live`` the units of the layer at ``y[at]`` that any image activates; return how many they are."""
    count = 0
    for unit in range(width):
        found = False
        for first in range(0, images, LANES):
            begin = at + (first // BLOCK * rows + unit) * BLOCK + first % BLOCK
            if first + LANES <= images:
                found = any_nonzero(load(y, begin))
            else:
                for image in range(begin, begin + images - first):
                    found = found or y[image] != 0
            if found:
                live[count] = unit
                count += 1
                break
    return count


@part
def forward(
    tile: Tile,
    weights: Array,
    weight_at: int,
    bias_at: int,
    inputs: int,
    outputs: int,
    live: Array,
    x: Array,
    x_at: int,
    x_rows: int,
    y: Array,
    y_at: int,
    y_rows: int,
    blocks: int,
    hidden: bool,
) -> None:
    """Compute y = W x + b, [outputs, 64] a block, and ReLU of it where the layer is ``hidden``.

    Args:
        tile: so many outputs are computed at once; the last tile moves back and computes some a second time.
        weights: flat; W is [outputs, inputs] at ``weight_at``, b at ``bias_at``.
        live: the inputs that are not zero for all images.
    """
    for block in range(blocks):
        source, target = x_at + block * x_rows * BLOCK, y_at + block * y_rows * BLOCK
        for begin in range(0, outputs, len(tile)):
            first = max(0, min(begin, outputs - len(tile)))
            for lane in range(0, BLOCK, LANES):
                sums = registers(tile, weights)
                for j in range(len(tile)):
                    sums[j] = splat_at(weights, bias_at + first + j)
                for unit in live:
                    found = load(x, source + unit * BLOCK + lane)
                    at = weight_at + first * inputs + unit
                    for j in range(len(tile)):
                        sums[j] = fma(splat_at(weights, at + j * inputs), found, sums[j])
                for j in range(len(tile)):
                    store(y, target + (first + j) * BLOCK + lane, relu(sums[j]) if hidden else sums[j])


@part
def backward(
    tile: Tile,
    weights: Array,
    weight_at: int,
    inputs: int,
    live_outputs: Array,
    live: Array,
    above: Array,
    above_rows: int,
    activations: Array,
    activation_at: int,
    rows: int,
    below: Array,
    blocks: int,
    scale: float,
) -> None:
    """Compute the gradient of the activations below a layer: W^T above where they are active, times ``scale``.

    Only rows of ``live`` inputs are written, from those of ``live_outputs``.
    """
    factor = splat(scale)
    for block in range(blocks):
        source, target = block * above_rows * BLOCK, block * rows * BLOCK
        for begin in range(0, len(live), len(tile)):
            for lane in range(0, BLOCK, LANES):
                sums = registers(tile, weights)
                for j in range(len(tile)):
                    sums[j] = splat(weights.dtype.type(0))
                for output in live_outputs:
                    found = load(above, source + output * BLOCK + lane)
                    at = weight_at + output * inputs
                    for j in range(len(tile)):
                        unit = live[min(begin + j, len(live) - 1)]
                        sums[j] = fma(splat_at(weights, at + unit), found, sums[j])
                for j in range(len(tile)):
                    at = target + live[min(begin + j, len(live) - 1)] * BLOCK + lane
                    active = load(activations, activation_at + at)
                    store(below, at, where_active(active, sums[j]) * factor)


@part
def weight_gradients(
    tile: Tile,
    gradients: Array,
    weight_at: int,
    bias_at: int,
    inputs: int,
    live_outputs: Array,
    live: Array,
    above: Array,
    above_rows: int,
    activations: Array,
    activation_at: int,
    rows: int,
    blocks: int,
) -> None:
    """Compute the gradients of a layer's weights and biases: sums over the images of above times activations.

    Those of units that are not live stay as they are. ``len(tile)`` outputs and two inputs are computed at once.
    """
    zero = splat(gradients.dtype.type(0))
    for begin in range(0, len(live_outputs), len(tile)):
        for across in range(0, len(live), 2):
            low, high = registers(tile, gradients), registers(tile, gradients)
            for j in range(len(tile)):
                low[j] = zero
                high[j] = zero
            left = live[across]
            right = live[min(across + 1, len(live) - 1)]
            for block in range(blocks):
                source, target = activation_at + block * rows * BLOCK, block * above_rows * BLOCK
                for lane in range(0, BLOCK, LANES):
                    x = load(activations, source + left * BLOCK + lane)
                    z = load(activations, source + right * BLOCK + lane)
                    for j in range(len(tile)):
                        output = live_outputs[min(begin + j, len(live_outputs) - 1)]
                        delta = load(above, target + output * BLOCK + lane)
                        low[j] = fma(delta, x, low[j])
                        high[j] = fma(delta, z, high[j])
            for j in range(len(tile)):
                output = live_outputs[min(begin + j, len(live_outputs) - 1)]
                gradients[weight_at + output * inputs + left] = sum_of(low[j])
                gradients[weight_at + output * inputs + right] = sum_of(high[j])
    for output in live_outputs:
        total = zero
        for block in range(blocks):
            begin = (block * above_rows + output) * BLOCK
            for at in range(begin, begin + BLOCK, LANES):
                total = total + load(above, at)
        gradients[bias_at + output] = sum_of(total)


@part
def drop(y: Array, rows: int, mask: Array) -> None:
    """Multiply activations [blocks, rows, 64] with ``mask`` [width, batch]."""
    width, batch = mask.shape
    for begin in range(0, batch, BLOCK):
        for unit in range(width):
            row = (begin // BLOCK * rows + unit) * BLOCK
            for image in range(min(BLOCK, batch - begin)):
                y[row + image] *= mask[unit, begin + image]


@part
def clear(numbers: Array) -> None:
    """Set all ``numbers``, a multiple of ``LANES``, to zero."""
    for at in range(0, len(numbers), LANES):
        store(numbers, at, splat(numbers.dtype.type(0)))


@part
def sum_first_deltas(
    deltas: Array, rows: int, blocks: int, live: Array, units: int, sums: Array, live_tiles: Array
) -> None:
    """Sum the first layer's deltas [blocks, rows, 64] over the images; clear those of dead units, which nobody wrote.

    Args:
        live: the units that are not dead.
        units: in a tile.
        sums: of each unit [rows].
        live_tiles: set to whether a tile has any delta that is not zero.
    """
    zero, at = splat(deltas.dtype.type(0)), 0
    for unit in range(rows):
        total, found = zero, False
        alive = at < len(live) and live[at] == unit
        at += alive
        for block in range(blocks):
            row = (block * rows + unit) * BLOCK
            for begin in range(row, row + BLOCK, LANES):
                if alive:
                    delta = load(deltas, begin)
                    found = found or any_nonzero(delta)
                    total = total + delta
                else:
                    store(deltas, begin, zero)
        sums[unit] = sum_of(total)
        live_tiles[unit // units] = found or (unit % units > 0 and live_tiles[unit // units])
