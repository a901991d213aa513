"""Whole training steps of some members, and the counting of correct answers: what Python calls."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from psa_tui.engine.backends.numba.kernels import adamw, loss, patches, products
from psa_tui.engine.backends.numba.kernels.compiling import kernel
from psa_tui.engine.backends.numba.kernels.products import BLOCK
from psa_tui.engine.backends.numba.kernels.vectors import LANES, any_nonzero, load, splat, store, sum_of

Array = np.ndarray
Tile = tuple[int, ...]


class Layers(NamedTuple):
    """The layers of a network, the first one first, the output layer last: int64 [layers] each."""

    widths: Array
    rows: Array
    """Of their activations: those of the first layer are filled up to whole tiles."""
    weight_at: Array
    """Where the weights of all but the first begin, in a member's parameters after those of the first layer."""
    bias_at: Array


class Patches(NamedTuple):
    """Images as the patches that are not black, see ``patches``."""

    begins: Array
    """Of each image: int64 [N + 1]."""
    patch_of: Array
    """uint16 [E]."""
    values: Array
    """uint8 [E * 16]."""
    real: Array
    """Which of a patch's places are pixels: [patches * 16]."""
    centre: float
    scale: float
    """A network sees (pixel - centre) * scale."""


class Members(NamedTuple):
    """Members that see the same images in one order; each has its own row."""

    first: Array
    """The first layer's weights and their two moments: [3, M, tiles, patches, len(tile), 16], flat from the third on."""
    rest: Array
    """All other parameters and their moments: [3, M, some]."""
    weight_sums: Array
    """Of each unit of the first layer: [M, rows]."""
    labels: Array
    """Sets of labels of all images: int64 [sets, N]."""
    labels_of: Array
    """Each member's set: int64 [M]."""
    masks_of: Array
    """Each member's dropout masks, -1 where it does not drop: int64 [M]."""
    dropout_scale: Array
    """What a mask multiplies with: [M]."""


class Workspace(NamedTuple):
    """Memory for one member's step."""

    activations: Array
    """Of every layer, [blocks, rows, 64] each."""
    activation_at: Array
    """Where each layer's begin: int64 [layers]."""
    deltas: Array
    """The gradients of two layers' activations: [2, blocks, most rows, 64], flat from the second on."""
    gradients: Array
    """Of all parameters after the first layer's weights."""
    delta_sums: Array
    live: Array
    """The live units of each layer: int64 [layers, most rows]."""
    live_counts: Array
    list_begins: Array
    list_values: Array
    list_images: Array
    live_tiles: Array
    scratch: Array


@kernel
def train_steps(
    first_tile: Tile,
    tile: Tile,
    images: Patches,
    layers: Layers,
    members: Members,
    space: Workspace,
    order: Array,
    batch: int,
    rates: Array,
    masks: Array,
    losses: Array,
) -> None:
    """Take a step of every member with each batch of ``order``.

    Args:
        first_tile: how many units of the first layer are computed at once; ``tile`` of the others.
        order: the images that the steps see, int64 [steps * batch].
        rates: those of each member and step, as ``adamw`` wants them: [M, steps, 3].
        masks: dropout masks, [some members, steps, hidden units, batch].
        losses: set to the sum of the losses of each member's step: float64 [M, steps].
    """
    for step in range(len(order) // batch):
        visited = order[step * batch : (step + 1) * batch]
        patches.sort_by_patch(
            visited,
            images.begins,
            images.patch_of,
            images.values,
            layers.rows[0],
            space.list_begins,
            space.list_values,
            space.list_images,
        )
        for member in range(len(members.weight_sums)):
            mask = masks[max(0, members.masks_of[member]), step]
            drops = members.masks_of[member] >= 0
            labels = members.labels[members.labels_of[member]]
            losses[member, step] = _step(
                first_tile, tile, images, layers, members, member, space, visited, rates[member, step], mask, drops, labels
            )


@kernel
def _step(
    first_tile: Tile,
    tile: Tile,
    images: Patches,
    layers: Layers,
    members: Members,
    member: int,
    space: Workspace,
    visited: Array,
    rates: Array,
    mask: Array,
    drops: bool,
    labels: Array,
) -> float:
    rest = members.rest[0, member]
    blocks = -(-len(visited) // BLOCK)
    _forward(first_tile, tile, images, layers, members.first[0, member], rest, members.weight_sums[member], space, visited, mask, drops)
    last = len(layers.widths) - 1
    above, above_rows = space.activations[space.activation_at[last] :], layers.widths[last]
    found = loss.loss_and_gradient(above, 0, layers.widths[last], labels, visited, blocks, space.scratch)
    for at in range(0, len(space.gradients), LANES):
        store(space.gradients, at, splat(rest.dtype.type(0)))
    scale = members.dropout_scale[member]
    for layer in range(last, 0, -1):
        outputs = space.live[layer, : space.live_counts[layer]]
        inputs = space.live[layer - 1, : space.live_counts[layer - 1]]
        below, rows = space.deltas[layer % 2], layers.rows[layer - 1]
        at = space.activation_at[layer - 1]
        width = layers.widths[layer - 1]
        products.weight_gradients(
            tile,
            space.gradients,
            layers.weight_at[layer],
            layers.bias_at[layer],
            width,
            outputs,
            inputs,
            above,
            above_rows,
            space.activations,
            at,
            rows,
            blocks,
        )
        products.backward(
            tile,
            rest,
            layers.weight_at[layer],
            width,
            outputs,
            inputs,
            above,
            above_rows,
            space.activations,
            at,
            rows,
            below,
            blocks,
            scale,
        )
        above, above_rows = below, rows
    _sum_first_deltas(above, layers, space, blocks, len(first_tile))
    patches.backward(
        first_tile,
        space.list_begins,
        space.list_values,
        space.list_images,
        above,
        space.delta_sums,
        space.live_tiles,
        members.first[0, member],
        members.first[1, member],
        members.first[2, member],
        members.weight_sums[member],
        images.real,
        images.centre,
        images.scale,
        rates,
        layers.rows[0],
        space.scratch,
    )
    adamw.update_all(space.gradients, rest, members.rest[1, member], members.rest[2, member], rates)
    return found


@kernel
def _forward(
    first_tile: Tile,
    tile: Tile,
    images: Patches,
    layers: Layers,
    first: Array,
    rest: Array,
    weight_sums: Array,
    space: Workspace,
    visited: Array,
    mask: Array,
    drops: bool,
) -> None:
    """Compute the activations of all layers, and which of their units are live."""
    blocks = -(-len(visited) // BLOCK)
    patches.forward(
        first_tile,
        visited,
        images.begins,
        images.patch_of,
        images.values,
        len(images.real) // LANES,
        first,
        weight_sums,
        rest,
        layers.widths[0],
        images.centre,
        images.scale,
        space.activations,
        layers.rows[0],
        blocks,
        space.scratch,
    )
    last = len(layers.widths) - 1
    unit = 0
    for layer in range(last + 1):
        at, width, rows = space.activation_at[layer], layers.widths[layer], layers.rows[layer]
        if layer:
            products.forward(
                tile,
                rest,
                layers.weight_at[layer],
                layers.bias_at[layer],
                layers.widths[layer - 1],
                width,
                space.live[layer - 1, : space.live_counts[layer - 1]],
                space.activations,
                space.activation_at[layer - 1],
                layers.rows[layer - 1],
                space.activations,
                at,
                rows,
                blocks,
                layer < last,
            )
        if layer < last:
            if drops:
                _drop(space.activations[at:], rows, mask[unit : unit + width])
            unit += width
            space.live_counts[layer] = products.find_live_units(
                space.activations, at, rows, width, blocks, space.live[layer]
            )


@kernel
def _drop(y: Array, rows: int, mask: Array) -> None:
    """Multiply activations [blocks, rows, 64] with ``mask`` [width, batch]."""
    width, batch = mask.shape
    for begin in range(0, batch, BLOCK):
        for unit in range(width):
            row = (begin // BLOCK * rows + unit) * BLOCK
            for image in range(min(BLOCK, batch - begin)):
                y[row + image] *= mask[unit, begin + image]


@kernel
def _sum_first_deltas(deltas: Array, layers: Layers, space: Workspace, blocks: int, units: int) -> None:
    """Sum the first layer's deltas over the images; clear those of dead units, which nobody wrote."""
    zero, rows = splat(deltas.dtype.type(0)), layers.rows[0]
    live, count = space.live[0], space.live_counts[0]
    space.live_tiles[:] = False
    at = 0
    for unit in range(rows):
        total, found = zero, False
        alive = at < count and live[at] == unit
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
        space.delta_sums[unit] = sum_of(total)
        if found:
            space.live_tiles[unit // units] = True
            space.gradients[unit] = space.delta_sums[unit]


@kernel
def count_correct(
    first_tile: Tile,
    tile: Tile,
    images: Patches,
    layers: Layers,
    members: Members,
    space: Workspace,
    batch: int,
    correct: Array,
) -> None:
    """Count for each member the images that it classifies as ``members.labels`` say: int64 [M]."""
    nothing = members.rest[0]
    last = len(layers.widths) - 1
    order = np.arange(len(images.begins) - 1)
    for begin in range(0, len(order), batch):
        visited = order[begin : begin + batch]
        for member in range(len(correct)):
            first, rest, sums = members.first[0, member], members.rest[0, member], members.weight_sums[member]
            _forward(first_tile, tile, images, layers, first, rest, sums, space, visited, nothing, False)
            correct[member] += loss.count_correct(
                space.activations, space.activation_at[last], layers.widths[last], members.labels[0], begin, len(visited)
            )
