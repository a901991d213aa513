"""Whole training steps of some members, and the counting of correct answers: what Python calls."""

from __future__ import annotations

import numpy as np

from psa_tui.engine.backends.numba.kernels import adamw, loss, patches, pixels, products
from psa_tui.engine.backends.numba.kernels.compiling import kernel, part
from psa_tui.engine.backends.numba.kernels.memory import STEPS, STOP, STOPPED, Layers, Members, Patches, Tile, Workspace
from psa_tui.engine.backends.numba.kernels.pixels import PixelLists
from psa_tui.engine.backends.numba.kernels.processor import flush_denormals, meet, restore
from psa_tui.engine.backends.numba.kernels.products import BLOCK
from psa_tui.engine.backends.numba.kernels.vector_type import LANES

Array = np.ndarray


@part
def share_of(count: int, share: int, shares: int) -> tuple[int, int]:
    """Return the first of ``count`` things that is a thread's, and the first one after those."""
    return count * share // shares, count * (share + 1) // shares


@kernel
def run_steps(
    share: int,
    first_tile: Tile,
    tile: Tile,
    images: Patches,
    layers: Layers,
    members: Members,
    space: Workspace,
    lists: PixelLists | None,
    order: Array,
    batch: int,
    trains: bool,
    rates: Array,
    masks: Array,
    found: Array,
    active: Array,
) -> None:
    """Take a step of every member with each batch of ``order``, or only count the images it classifies correctly.

    Several threads do that together: in the first layer each has its part of the units, in others its part of a batch,
    and of the weights when a step is taken. They meet between. What is added up is added in the order of the threads.

    One kernel does both, and it calls its parts side by side: LLVM would compile a part again in each that calls it.

    Args:
        share: which of the threads this is; there are as many as ``space`` has shares.
        first_tile: how many units of the first layer are computed at once, or vectors of such; ``tile`` of the others.
        lists: memory for ``pixels``; with None, the first layer is computed by ``patches``. It is one or the other when
            this is compiled.
        order: the images that the steps see, int64 [images].
        batch: images a step; the last may have fewer.
        trains: whether weights are updated.
        rates: those of each member and step, as ``adamw`` wants them: [M, steps, 3].
        masks: dropout masks, [some members, steps, hidden units, batch].
        found: set to the sum of losses of each member's step, or to its correct answers: [shares, M, steps], float64.
        active: marks the hidden units that an image activates, where it only counts: bool [M, hidden units].
    """
    state = flush_denormals()
    count, last = len(images.real) // LANES, len(layers.widths) - 1
    classes, logits_at = layers.widths[last], space.activation_at[last]
    shares, rows_of_first = len(space.activations), layers.rows[0]
    activations, scratch, deltas_at = space.activations[share], space.scratch[share], len(space.deltas) // (2 * shares)
    gradients = space.gradients[share * (len(space.gradients) // shares) :][: len(space.gradients) // shares]
    live, live_counts, list_counts = space.live[share], space.live_counts[share], space.list_counts[share]
    units = len(first_tile) if lists is None else len(first_tile) * LANES
    begin_unit, end_unit = share_of(rows_of_first // units, share, shares)
    begin_unit, end_unit = begin_unit * units, end_unit * units
    control, arrivals = space.control, 0
    for step in range(-(-len(order) // batch)):
        together = order[step * batch : (step + 1) * batch]
        if lists is None:
            list_counts[:] = 0
            for other in range(shares):
                begin, end = share_of(len(together), other, shares)
                patches.sort_by_patch(
                    together[begin:end],
                    images.begins,
                    images.patch_of,
                    images.values,
                    rows_of_first,
                    (2 * other + 1) * deltas_at,
                    list_counts,
                    space.list_values[share],
                    space.list_images[share],
                    trains,
                )
        begin, end = share_of(len(together), share, shares)
        visited = together[begin:end]
        blocks = -(-len(visited) // BLOCK)
        if lists is not None:
            pixels.list_pixels(first_tile, visited, images.begins, images.patch_of, images.values, share, lists, trains)
            arrivals += shares
            meet(control, arrivals)
        for member in range(len(members.weight_sums)):
            rest, sums, labels = (
                members.rest[0, member],
                members.weight_sums[member],
                members.labels[members.labels_of[member]],
            )
            if lists is None:
                for other in range(shares):
                    first, end = share_of(len(together), other, shares)
                    patches.forward(
                        first_tile,
                        begin_unit,
                        end_unit,
                        together[first:end],
                        images.begins,
                        images.patch_of,
                        images.values,
                        count,
                        members.first[0, member],
                        sums,
                        rest,
                        layers.widths[0],
                        images.centre,
                        images.scale,
                        space.activations[other],
                        rows_of_first,
                        -(-(end - first) // BLOCK),
                        scratch,
                    )
            else:
                pixels.forward(
                    first_tile,
                    begin_unit,
                    end_unit,
                    share,
                    lists,
                    members.first[0, member],
                    sums,
                    rest,
                    images.centre,
                    images.scale,
                    space.activations,
                    rows_of_first,
                )
            arrivals += shares
            meet(control, arrivals)
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
                        live[layer - 1, : live_counts[layer - 1]],
                        activations,
                        space.activation_at[layer - 1],
                        layers.rows[layer - 1],
                        activations,
                        at,
                        rows,
                        blocks,
                        layer < last,
                    )
                if layer < last:
                    if members.masks_of[member] >= 0:
                        mask = masks[members.masks_of[member], step, unit : unit + width, begin : begin + len(visited)]
                        products.drop(activations[at:], rows, mask)
                    live_counts[layer] = products.find_live_units(
                        activations, at, rows, width, len(visited), live[layer]
                    )
                    if not trains:
                        for position in range(live_counts[layer]):
                            active[member, unit + live[layer, position]] = True
                    unit += width
            if not trains:
                found[share, member, step] = loss.count_correct(activations, logits_at, classes, labels, visited)
                arrivals += shares
                meet(control, arrivals)
                continue
            above, above_rows = activations[logits_at:], classes
            found[share, member, step] = loss.loss_and_gradient(
                above, 0, classes, labels, visited, len(together), blocks, scratch
            )
            products.clear(gradients)
            for layer in range(last, 0, -1):
                outputs = live[layer, : live_counts[layer]]
                inputs = live[layer - 1, : live_counts[layer - 1]]
                at, width, rows = space.activation_at[layer - 1], layers.widths[layer - 1], layers.rows[layer - 1]
                below = space.deltas[(2 * share + layer % 2) * deltas_at :][:deltas_at]
                products.weight_gradients(
                    tile,
                    gradients,
                    layers.weight_at[layer],
                    layers.bias_at[layer],
                    width,
                    outputs,
                    inputs,
                    above,
                    above_rows,
                    activations,
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
                    activations,
                    at,
                    rows,
                    below,
                    blocks,
                    members.dropout_scale[member],
                )
                above, above_rows = below, rows
            products.sum_first_deltas(
                above,
                rows_of_first,
                blocks,
                live[0, : live_counts[0]],
                units,
                space.delta_sums[share],
                space.live_tiles[share],
            )
            for unit in range(layers.widths[0]):
                gradients[unit] = space.delta_sums[share, unit]
            arrivals += shares
            meet(control, arrivals)
            if lists is None:
                patches.backward(
                    first_tile,
                    begin_unit,
                    end_unit,
                    list_counts,
                    space.list_values[share],
                    space.list_images[share],
                    space.deltas,
                    space.delta_sums,
                    space.live_tiles,
                    members.first[0, member],
                    members.first[1, member],
                    members.first[2, member],
                    sums,
                    images.real,
                    images.centre,
                    images.scale,
                    rates[member, step],
                    scratch,
                )
            else:
                pixels.backward(
                    first_tile,
                    begin_unit,
                    end_unit,
                    share,
                    lists,
                    space.deltas,
                    rows_of_first,
                    space.delta_sums,
                    members.first[0, member],
                    members.first[1, member],
                    members.first[2, member],
                    sums,
                    images.centre,
                    images.scale,
                    rates[member, step],
                )
            adamw.update_share(
                share, space.gradients, rest, members.rest[1, member], members.rest[2, member], rates[member, step]
            )
            if share == 0:
                # All threads read it after they have met, so they leave together.
                control[STEPS], control[STOPPED] = step + 1, control[STOP]
            arrivals += shares
            meet(control, arrivals)
        if control[STOPPED]:
            break
    restore(state)
