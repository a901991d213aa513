"""The first layer of narrow networks: products with patches of sixteen pixels, those that are not all black.

A network sees (pixel - centre) * scale. Only pixels are multiplied; what centring makes of all of them is a constant of
each unit, -centre * scale times the sum of its weights, and of each gradient, -centre * scale times the sum of the
deltas. Weights are [tiles, patches, len(tile), 16]: a tile of units passes over the images together. Units and pixels
that fill up the last tile and patch are zero and stay so.

An image is a record of bytes, so that few cache lines have it all: sixteen-bit numbers, namely the length of this head
in sixteen bytes, the patches that are not black, and ``END``; then the pixels of these patches.

Threads divide the images of a batch among them, and the patches when a step is taken with the weights. Gradients of a
layer of few units are added up image by image, while they stay in the first cache. For more units, or members, each
thread lists its images by patch, for all threads and members to use. Both ways, sums are of the same order.
"""

from __future__ import annotations

import numpy as np

from psa_tui.engine.backends.numba.kernels.adamw import update
from psa_tui.engine.backends.numba.kernels.calling import Phase
from psa_tui.engine.backends.numba.kernels.compiling import kernel, part
from psa_tui.engine.backends.numba.kernels.memory import (
    BLOCK,
    END,
    TERMS,
    Task,
    images_of,
    is_first,
    order_of,
    share_of,
)
from psa_tui.engine.backends.numba.kernels.processor import prefetch
from psa_tui.engine.backends.numba.kernels.products import sum_first_deltas
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

_AHEAD, _SOON = 12, 2
"""So many images before it is needed an image is fetched from memory; and, when a batch is passed over again, from the
second cache."""
_LINE, _HEAD = 64, LANES // 2
"""Bytes of a cache line, and sixteen-bit numbers in sixteen bytes."""


@part
def lines_of(task: Task) -> int:
    """Return how many cache lines most images have: a number that varied would be guessed wrongly."""
    return len(task.images.values) // (len(task.images.begins) * _LINE) + 2


@part
def fetch(task: Task, image: int, lines: int) -> None:
    """Fetch an ``image`` of so many cache ``lines`` from memory."""
    begins, values = task.images.begins, task.images.values
    begin = begins[np.uint64(image)] * LANES
    for line in range(lines):
        prefetch(values, begin + line * _LINE)


@part
def fetch_ahead(task: Task, order: np.ndarray, position: int, count: int, first_image: int, lines: int) -> None:
    """Fetch from memory what a thread needs some images after the one at ``position`` of its ``count``.

    Args:
        first_image: where in the ``order`` its images of this batch begin.
    """
    begins = task.images.begins
    # After its last image of this batch a thread needs its first of the next one.
    skipped = task.batch - count
    further = first_image + position + 2 * _AHEAD + (skipped if position + 2 * _AHEAD >= count else 0)
    if further < len(order):
        prefetch(begins, order[np.uint64(further)])
    ahead = first_image + position + _AHEAD + (skipped if position + _AHEAD >= count else 0)
    if ahead < len(order):
        fetch(task, order[np.uint64(ahead)], lines)


@part
def list_image(task: Task, share: int, image: int, row: int) -> None:
    """Add the patches of ``image`` to their lists: sixteen pixels each, and the image's first ``row`` of deltas."""
    ids, values, space = task.images.ids, task.images.values, task.space
    counts, list_values, list_rows = space.list_counts[share], space.list_values[share], space.list_rows[share]
    begin, longest = task.images.begins[np.uint64(image)], len(list_rows) // len(counts)
    at, source = begin * _HEAD + 1, (begin + np.int64(ids[np.uint64(begin * _HEAD)])) * LANES
    patch = np.int64(ids[np.uint64(at)])
    while patch != END:
        place = patch * longest + counts[np.uint64(patch)]
        counts[np.uint64(patch)] += 1
        list_rows[np.uint64(place)] = row
        copy_bytes(list_values, place * LANES, values, source)
        at += 1
        source += LANES
        patch = np.int64(ids[np.uint64(at)])


@part
def note_constants(task: Task, share: int, first_member: int) -> None:
    """Note what is added to each row of a group's first layers: its bias, and what centring makes of all pixels."""
    members, width, terms = task.members, task.layers.widths[0], task.space.row_terms[share]
    group, offset = members.groups.of[first_member], task.images.centre * task.images.scale
    sums_of_weights = members.weight_sums[group]
    for member in range(first_member, members.groups.begins[group + 1]):
        for unit in range(width):
            row = (member - first_member) * width + unit
            total = sums_of_weights[0, row]
            for other in range(1, len(sums_of_weights)):
                total += sums_of_weights[other, row]
            terms[TERMS * row] = members.rest[0, member, unit] - offset * total


@part
def note_update_terms(task: Task, share: int, step: int, first_member: int) -> None:
    """Note for each row of a group's first layers what centring makes of its gradients, and its three rates."""
    members, width, terms = task.members, task.layers.widths[0], task.space.row_terms[share]
    delta_sums, offset = task.space.delta_sums, task.images.centre * task.images.scale
    for member in range(first_member, members.groups.begins[members.groups.of[first_member] + 1]):
        for unit in range(width):
            row = (member - first_member) * width + unit
            total = delta_sums[0, row]
            for other in range(1, len(delta_sums)):
                total += delta_sums[other, row]
            terms[TERMS * row] = offset * total
            for rate in range(TERMS - 1):
                terms[TERMS * row + 1 + rate] = task.rates[member, step, rate]


def phases(units: int, listed: bool) -> tuple[Phase, Phase, Phase]:
    """Return the phases that compute the first layer, sum its deltas and update it, ``units`` at once.

    Unless images are ``listed`` by patch, one tile has all units.
    """
    tile, whole = (0,) * units, -(-units // LANES) * LANES

    @kernel
    def forward_patches(task: Task, share: int, step: int, member: int) -> None:
        """Compute the activations of a thread's images, [blocks, rows, 64]; for an order's first group, list these."""
        begins, ids, values = task.images.begins, task.images.ids, task.images.values
        weights, is_first_group = task.members.first[0, task.members.groups.of[member]], is_first(task, member)
        rows, terms = task.layers.rows[0], task.space.row_terms[share]
        scale, patches = task.images.scale, len(task.images.real) // LANES
        scratch, shares = task.space.scratch[share], len(task.space.activations)
        begin, end = images_of(task, step, share)
        whole_order, y = task.orders[order_of(task, member)], task.space.activations[share]
        order = whole_order[begin:end]
        first_row, zero = share * (len(task.space.first_deltas) // shares), splat(weights.dtype.type(0))
        lines = lines_of(task)
        note_constants(task, share, member)
        if listed and is_first_group:
            task.space.list_counts[share, :] = 0
        for first in range(0, rows, units):
            for group in range(-(-len(order) // BLOCK) * BLOCK // LANES):
                for lane in range(LANES):
                    sums = registers(tile, weights)
                    for j in range(units):
                        sums[j] = zero
                    position = group * LANES + lane
                    if position < len(order):
                        image = order[np.uint64(position)]
                        if is_first_group and first == 0:
                            fetch_ahead(task, whole_order, position, len(order), begin, lines)
                            if listed and task.trains:
                                row = first_row + (position // BLOCK) * rows * BLOCK + position % BLOCK
                                list_image(task, share, image, row)
                        elif position + _SOON < len(order):
                            fetch(task, order[np.uint64(position + _SOON)], lines)
                        here = begins[np.uint64(image)]
                        at, source = here * _HEAD + 1, (here + np.int64(ids[np.uint64(here * _HEAD)])) * LANES
                        patch = np.int64(ids[np.uint64(at)])
                        while patch != END:
                            x = load_bytes(values, source, weights)
                            weight = (first * patches + patch * units) * LANES
                            for j in range(units):
                                sums[j] = fma(x, load(weights, weight + j * LANES), sums[j])
                            at += 1
                            source += LANES
                            patch = np.int64(ids[np.uint64(at)])
                    for j in range(units):
                        store(scratch, (j * LANES + lane) * LANES, sums[j])
                target = (group * LANES // BLOCK) * rows * BLOCK + group * LANES % BLOCK
                for j in range(units):
                    constant = splat_at(terms, TERMS * (first + j))
                    found = fma(transposed_sums(scratch, j * LANES * LANES), splat(scale), constant)
                    store(y, target + (first + j) * BLOCK, relu(found))

    @kernel
    def sum_gradients(task: Task, share: int, step: int, member: int) -> None:
        """Sum the deltas of a thread's images, and the gradients that its images make."""
        sum_first_deltas(task, share, step, member)
        begins, ids, values, deltas = (
            task.images.begins,
            task.images.ids,
            task.images.values,
            task.space.first_deltas,
        )
        gradients, shares = task.space.first_gradients[share], len(task.space.activations)
        begin, end = images_of(task, step, share)
        order = task.orders[order_of(task, member)][begin:end]
        first_row, zero = share * (len(deltas) // shares), splat(deltas.dtype.type(0))
        for at in range(0, len(gradients), LANES):
            store(gradients, at, zero)
        if not task.space.live_tiles[share, 0]:
            return
        for position in range(len(order)):
            row = first_row + (position // BLOCK) * units * BLOCK + position % BLOCK
            # Without a branch for each: half of the units are inactive, and a guess is wrong as often.
            active = False
            for j in range(units):
                active |= deltas[np.uint64(row + j * BLOCK)] != 0
            if not active:
                continue
            of_units = registers(tile, deltas)
            for j in range(units):
                of_units[j] = splat_at(deltas, row + j * BLOCK)
            here = begins[np.uint64(order[np.uint64(position)])]
            at, source = here * _HEAD + 1, (here + np.int64(ids[np.uint64(here * _HEAD)])) * LANES
            patch = np.int64(ids[np.uint64(at)])
            while patch != END:
                x = load_bytes(values, source, deltas)
                for j in range(units):
                    place = (patch * units + j) * LANES
                    store(gradients, place, fma(x, of_units[j], load(gradients, place)))
                at += 1
                source += LANES
                patch = np.int64(ids[np.uint64(at)])

    @kernel
    def update_patches(task: Task, share: int, step: int, member: int) -> None:
        """Compute a thread's patches' gradients and take the optimiser's step with each as soon as it is there."""
        space, members, deltas, group = (
            task.space,
            task.members,
            task.space.first_deltas,
            task.members.groups.of[member],
        )
        weights, first_moments, second_moments = (
            members.first[0, group],
            members.first[1, group],
            members.first[2, group],
        )
        sums_of_weights, terms, real = members.weight_sums[group, share], space.row_terms[share], task.images.real
        scale, patches = task.images.scale, len(real) // LANES
        scratch, shares = space.scratch[share], len(space.activations)
        first_patch, end_patch = share_of(patches, share, shares)
        zero = splat(weights.dtype.type(0))
        note_update_terms(task, share, step, member)
        for first in range(0, task.layers.rows[0], units):
            live = False
            for other in range(shares):
                live = live or space.live_tiles[other, first // units]
            for j in range(whole):
                store(scratch, j * LANES, zero)
            for patch in range(first_patch, end_patch):
                sums = registers(tile, weights)
                for j in range(units):
                    sums[j] = zero
                for other in range(shares if live else 0):
                    if listed:
                        list_values, list_rows = space.list_values[other], space.list_rows[other]
                        place, of_thread = patch * (len(list_rows) // patches), registers(tile, weights)
                        for j in range(units):
                            of_thread[j] = zero
                        for entry in range(place, place + space.list_counts[other, patch]):
                            x = load_bytes(list_values, entry * LANES, weights)
                            at = np.int64(list_rows[np.uint64(entry)]) + first * BLOCK
                            for j in range(units):
                                of_thread[j] = fma(x, splat_at(deltas, at + j * BLOCK), of_thread[j])
                        for j in range(units):
                            sums[j] = sums[j] + of_thread[j]
                    else:
                        for j in range(units):
                            sums[j] = sums[j] + load(space.first_gradients[other], (patch * units + j) * LANES)
                here = load(real, patch * LANES)
                begin = (first * patches + patch * units) * LANES
                for j in range(units):
                    term = TERMS * (first + j)
                    gradient = sums[j] * splat(scale) - here * splat_at(terms, term)
                    new = update(gradient, begin + j * LANES, weights, first_moments, second_moments, terms, term + 1)
                    store(scratch, j * LANES, load(scratch, j * LANES) + new)
            for j in range(0, whole, LANES):
                store(scratch, whole * LANES + j, transposed_sums(scratch, j * LANES))
            for j in range(units):
                sums_of_weights[first + j] = scratch[whole * LANES + j]

    return forward_patches, sum_first_deltas if listed else sum_gradients, update_patches
