"""Products of layers after the first, for blocks of 64 images, over live units only.

Activations are feature-major: [blocks, rows, 64]; a layer's row is a unit. A unit that is zero for every image of the
batch, as half of them are in deep narrow networks, adds nothing to any sum; lists of the live ones leave it out, and
no number changes by that.

In residual networks some layers have a skip: the activations of the last layer but one are added before ReLU. Backward,
a delta then goes there, too, unit by unit: it lies where the delta of the last layer but one is to be written.
"""

from __future__ import annotations

import numpy as np

from psa_tui.engine.backends.numba.kernels.calling import Phase
from psa_tui.engine.backends.numba.kernels.compiling import kernel, part
from psa_tui.engine.backends.numba.kernels.dropout import drop_units, first_word
from psa_tui.engine.backends.numba.kernels.memory import BLOCK, Task, images_of
from psa_tui.engine.backends.numba.kernels.processor import has_wide_registers
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
    transposed_sums,
    where_active,
)


@kernel
def sum_first_deltas(task: Task, share: int, step: int, member: int) -> None:
    """Sum the first layers' deltas [blocks, rows, 64] over a thread's images, for a group whose first is ``member``.

    Notes, too, whether a tile has any delta that is not zero.
    """
    rows, width, live_tiles = task.layers.rows[0], task.layers.widths[0], task.space.live_tiles[share]
    shares, sums = len(task.space.activations), task.space.delta_sums[share]
    deltas, gradients = task.space.first_deltas, task.space.gradients
    parameters, units = len(gradients) // (task.members.groups.most * shares), rows // len(live_tiles)
    begin_image, end_image = images_of(task, step, share)
    for row in range(rows):
        total, found = splat(deltas.dtype.type(0)), False
        for block in range(-(-(end_image - begin_image) // BLOCK)):
            at = share * (len(deltas) // shares) + (block * rows + row) * BLOCK
            for begin in range(at, at + BLOCK, LANES):
                delta = load(deltas, begin)
                found = found or any_nonzero(delta)
                total = total + delta
        sums[row] = sum_of(total)
        if row < task.members.groups.most * width:
            gradients[(row // width * shares + share) * parameters + row % width] = sums[row]
        live_tiles[row // units] = found or (row % units > 0 and live_tiles[row // units])


@part
def position_of(task: Task, member: int) -> int:
    """Return how many members of its group precede a ``member``."""
    position: int = member - task.members.groups.begins[task.members.groups.of[member]]
    return position


@part
def clear_dead(deltas: np.ndarray, live: np.ndarray, width: int, rows: int, blocks: int) -> None:
    """Clear the ``deltas`` [blocks, rows, 64] of the units that are not ``live``, of ``width``: nobody writes them."""
    at = 0
    for unit in range(width):
        if at < len(live) and live[at] == unit:
            at += 1
        else:
            for block in range(blocks):
                row = (block * rows + unit) * BLOCK
                for begin in range(row, row + BLOCK, LANES):
                    store(deltas, begin, splat(deltas.dtype.type(0)))


def phases(units: int, residual: bool) -> tuple[Phase, Phase]:
    """Return the phases that compute the layers after the first, and their gradients, ``units`` of a layer at once.

    What only a ``residual`` network needs is left out of the machine code of others.
    """
    # Sums of as many images at once as there are registers for: a weight is then loaded for all of them.
    vectors, across = (BLOCK // LANES, 4) if has_wide_registers() else (1, 2)
    strip, tile = (0,) * vectors, (0,) * (units * vectors)
    side, square = (0,) * across, (0,) * (units * across)

    @kernel
    def forward_products(task: Task, share: int, step: int, member: int) -> None:
        """Compute y = W x + b of each layer, and ReLU of it where it is hidden; drop units, and list the live ones.

        The last tile of a layer moves back and computes some units a second time.
        """
        widths, every_row, activation_at = task.layers.widths, task.layers.rows, task.space.activation_at
        every_weight_at, every_bias_at = task.layers.weight_at, task.layers.bias_at
        skips, mask_at = task.layers.skips, task.layers.mask_at
        weights, y, last = task.members.rest[0, member], task.space.activations[share], len(widths) - 1
        live, live_counts = task.space.live[share], task.space.live_counts[share]
        mask_of, first_at = task.members.masks_of[member], position_of(task, member) * widths[0] * BLOCK
        begin_image, end_image = images_of(task, step, share)
        images, together = end_image - begin_image, min(task.batch, task.orders.shape[1] - step * task.batch)
        low, high, group = np.uint64(0), np.uint64(0), begin_image - step * task.batch
        if mask_of >= 0:
            low, high = first_word(task, mask_of, step, group)
        unreached = task.members.unreached[member]
        if unreached:
            # Nothing passes that layer, in either direction: whatever lies before it stays as it is.
            live_counts[: unreached + 1] = 0
        for layer in range(unreached + 1 if unreached else 0, last + 1):
            at, width, rows = activation_at[layer] + (0 if layer else first_at), widths[layer], every_row[layer]
            if layer:
                inputs, input_at, input_rows = widths[layer - 1], activation_at[layer - 1], every_row[layer - 1]
                input_at += 0 if layer > 1 else first_at
                weight_at, bias_at, hidden = every_weight_at[layer], every_bias_at[layer], layer < last
                skipped_at, skipped_rows = activation_at[max(layer - 2, 0)], every_row[max(layer - 2, 0)]
                skipped_at += 0 if layer > 2 else first_at
                above = live[layer - 1, : live_counts[layer - 1]]
                for block in range(-(-images // BLOCK)):
                    source, target = input_at + block * input_rows * BLOCK, at + block * rows * BLOCK
                    skipped = skipped_at + block * skipped_rows * BLOCK
                    for begin in range(0, width, units):
                        first = max(0, min(begin, width - units))
                        for lane in range(0, BLOCK, vectors * LANES):
                            sums, found = registers(tile, weights), registers(strip, weights)
                            for j in range(units):
                                bias = splat_at(weights, bias_at + first + j)
                                for k in range(vectors):
                                    sums[j * vectors + k] = bias
                                    if residual and skips[layer]:
                                        here = skipped + (first + j) * BLOCK + lane + k * LANES
                                        sums[j * vectors + k] = bias + load(y, here)
                            for position in range(len(above)):
                                unit = above[np.uint64(position)]
                                for k in range(vectors):
                                    found[k] = load(y, source + unit * BLOCK + lane + k * LANES)
                                weight_of_unit = weight_at + first * inputs + unit
                                for j in range(units):
                                    weight = splat_at(weights, weight_of_unit + j * inputs)
                                    for k in range(vectors):
                                        sums[j * vectors + k] = fma(weight, found[k], sums[j * vectors + k])
                            for j in range(units):
                                for k in range(vectors):
                                    total = sums[j * vectors + k]
                                    here = target + (first + j) * BLOCK + lane + k * LANES
                                    store(y, here, relu(total) if hidden else total)
            if layer < last:
                if mask_of >= 0 and (not residual or mask_at[layer] >= 0):
                    low, high, group = drop_units(
                        task, share, member, y[at:], rows, width, images, together, low, high, group
                    )
                live_count = 0
                for first in range(width):
                    found = False
                    for image in range(0, images, BLOCK):
                        begin = at + (image // BLOCK * rows + first) * BLOCK
                        count = min(BLOCK, images - image)
                        for lane in range(0, count // LANES * LANES, LANES):
                            found = found or any_nonzero(load(y, begin + lane))
                        for lane in range(count // LANES * LANES, count):
                            found = found or y[begin + lane] != 0
                        if found:
                            break
                    if found:
                        live[layer, live_count] = first
                        live_count += 1
                live_counts[layer] = live_count

    @kernel
    def backward_products(task: Task, share: int, step: int, member: int) -> None:
        """Compute the gradients of the weights of each layer, and of the activations below it where they are active.

        Gradients of units that are not live are zero. Some inputs of a tile of outputs are computed at once.
        """
        widths, every_row, activation_at = task.layers.widths, task.layers.rows, task.space.activation_at
        every_weight_at, every_bias_at = task.layers.weight_at, task.layers.bias_at
        skips, mask_at = task.layers.skips, task.layers.mask_at
        weights, y, shares = task.members.rest[0, member], task.space.activations[share], len(task.space.activations)
        every_live, live_counts = task.space.live[share], task.space.live_counts[share]
        last, parameters = len(widths) - 1, len(weights)
        position = position_of(task, member)
        gradients = task.space.gradients[(position * shares + share) * parameters :][:parameters]
        first_deltas, first_at = task.space.first_deltas, position * widths[0] * BLOCK
        deltas_at, scale = len(task.space.deltas) // (2 * shares), splat(task.members.dropout_scale[member])
        begin_image, end_image = images_of(task, step, share)
        blocks = -(-(end_image - begin_image) // BLOCK)
        zero, scratch = splat(weights.dtype.type(0)), task.space.scratch[share]
        for k in range(LANES):
            store(scratch, k * LANES, zero)
        above, above_rows = y[activation_at[last] :], widths[last]
        for at in range(0, parameters, LANES):
            store(gradients, at, zero)
        for layer in range(last, 0, -1):
            outputs, live = every_live[layer, : live_counts[layer]], every_live[layer - 1, : live_counts[layer - 1]]
            at, inputs, rows = activation_at[layer - 1], widths[layer - 1], every_row[layer - 1]
            weight_at, bias_at = every_weight_at[layer], every_bias_at[layer]
            joined = task.space.deltas[(2 * share + layer % 2) * deltas_at :][:deltas_at]
            below, joined_rows = joined, every_row[min(layer + 1, last)]
            if layer == 1:
                at += first_at
                below = first_deltas[share * (len(first_deltas) // shares) + first_at :]
                clear_dead(below, live, inputs, rows, blocks)
            joins = residual and layer < last and skips[layer + 1] != 0
            if residual:
                dropped = mask_at[layer - 1] >= 0
                scale = splat(task.members.dropout_scale[member] if dropped else weights.dtype.type(1))
                if skips[layer - 1]:
                    clear_dead(below, live, inputs, rows, blocks)
            for begin in range(0, len(outputs), units):
                for beside in range(0, len(live), across):
                    sums, found = registers(square, weights), registers(side, weights)
                    for j in range(units * across):
                        sums[j] = zero
                    for block in range(blocks):
                        source, target = at + block * rows * BLOCK, block * above_rows * BLOCK
                        for lane in range(0, BLOCK, LANES):
                            for k in range(across):
                                unit = live[np.uint64(min(beside + k, len(live) - 1))]
                                found[k] = load(y, source + unit * BLOCK + lane)
                            for j in range(units):
                                output = outputs[np.uint64(min(begin + j, len(outputs) - 1))]
                                delta = load(above, target + output * BLOCK + lane)
                                for k in range(across):
                                    sums[j * across + k] = fma(delta, found[k], sums[j * across + k])
                    for j in range(units * across):
                        store(scratch, j * LANES, sums[j])
                    store(scratch, LANES * LANES, transposed_sums(scratch, 0))
                    for j in range(units):
                        output = outputs[np.uint64(min(begin + j, len(outputs) - 1))]
                        for k in range(across):
                            unit = live[np.uint64(min(beside + k, len(live) - 1))]
                            gradients[np.uint64(weight_at + output * inputs + unit)] = scratch[
                                np.uint64(LANES * LANES + j * across + k)
                            ]
            for position in range(len(outputs)):
                output = outputs[position]
                total = zero
                for block in range(blocks):
                    begin = (block * above_rows + output) * BLOCK
                    for image in range(begin, begin + BLOCK, LANES):
                        total = total + load(above, image)
                gradients[bias_at + output] = sum_of(total)
            for block in range(blocks):
                source, target, join = block * above_rows * BLOCK, block * rows * BLOCK, block * joined_rows * BLOCK
                for begin in range(0, len(live), units):
                    for lane in range(0, BLOCK, vectors * LANES):
                        sums, deltas = registers(tile, weights), registers(strip, weights)
                        for j in range(units):
                            here = join + live[np.uint64(min(begin + j, len(live) - 1))] * BLOCK + lane
                            for k in range(vectors):
                                sums[j * vectors + k] = load(joined, here + k * LANES) if joins else zero
                        for position in range(len(outputs)):
                            output = outputs[np.uint64(position)]
                            for k in range(vectors):
                                deltas[k] = load(above, source + output * BLOCK + lane + k * LANES)
                            for j in range(units):
                                unit = live[np.uint64(min(begin + j, len(live) - 1))]
                                weight = splat_at(weights, weight_at + output * inputs + unit)
                                for k in range(vectors):
                                    sums[j * vectors + k] = fma(weight, deltas[k], sums[j * vectors + k])
                        for j in range(units):
                            here = target + live[np.uint64(min(begin + j, len(live) - 1))] * BLOCK + lane
                            for k in range(vectors):
                                delta = where_active(load(y, at + here + k * LANES), sums[j * vectors + k])
                                store(below, here + k * LANES, delta * scale)
            above, above_rows = below, rows

    return forward_products, backward_products
