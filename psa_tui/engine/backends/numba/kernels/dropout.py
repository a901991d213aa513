"""Dropout masks, drawn where they are used: by the thread that needs them, for live units only.

NumPy's bit generator PCG64 (O'Neill 2014, "PCG: A Family of Simple Fast Space-Efficient Statistically Good Algorithms
for Random Number Generation") moves a state of 128 bits by ``state * multiplier + increment``, and makes a word of 64
bits of each. Moving by many words at once is the same with other factors, so a word is found without those before it.
A state is two numbers of 64 bits, the lower one first; so are factors, the multiplier before the increment.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from psa_tui.engine.backends.numba.kernels.compiling import part
from psa_tui.engine.backends.numba.kernels.memory import BLOCK, Task
from psa_tui.engine.backends.numba.kernels.vector_type import LANES, Vector, element_pointer, llvm_type
from psa_tui.engine.backends.numba.kernels.vectors import any_nonzero, load, store

STREAMS = 4
"""Words that are made side by side: one alone would wait for its multiplication."""
GROUPS = 4
"""Groups of 16 bits in a word, one for each unit of an image."""
ONE_WORD, STREAMS_WORDS, ROW_WORDS, LAST_ROW_WORDS = 0, 1, 2, 4
"""The moves in ``Task.mask_moves``: by a word, by ``STREAMS``, by a unit's whole words; these in the last batch of an
epoch. Behind each of the last two is the move by one word more."""


def _move(typing: Any, low: Any, high: Any, factors: Any, mask: Any, move: Any) -> Any:
    """Return the state (``low``, ``high``) moved by ``factors[mask, move]``, uint64 [masks, moves, 4]."""
    pair = types.UniTuple(types.uint64, 2)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        wide, shift = ir.IntType(128), ir.IntType(128)(64)
        array = context.make_array(sig.args[2])(context, builder, args[2])
        indices = [context.cast(builder, args[k], sig.args[k], types.intp) for k in (3, 4)]
        begin = cgutils.get_item_pointer(context, builder, sig.args[2], array, [*indices, ir.IntType(64)(0)])
        whole = builder.bitcast(begin, wide.as_pointer())
        multiplier, increment = (builder.load(builder.gep(whole, [ir.IntType(32)(k)]), align=8) for k in (0, 1))
        state = builder.or_(builder.zext(args[0], wide), builder.shl(builder.zext(args[1], wide), shift))
        moved = builder.add(builder.mul(state, multiplier), increment)
        halves = [builder.trunc(one, ir.IntType(64)) for one in (moved, builder.lshr(moved, shift))]
        return context.make_tuple(builder, pair, halves)

    return pair(types.uint64, types.uint64, factors, types.intp, types.intp), generate


def _kept(typing: Any, words: Any, at: Any, threshold: Any, scale: Any) -> Any:
    """Return ``LANES`` numbers: ``scale`` where a group of ``words``, from ``at`` on, reaches ``threshold``, else 0."""
    result = Vector(scale)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        group, count = ir.IntType(16), ir.Constant(ir.IntType(32), 0)
        data = builder.bitcast(
            element_pointer(context, builder, sig.args[0], args[0], types.intp, ir.IntType(64)(0), ir.IntType(64)),
            group.as_pointer(),
        )
        place = builder.bitcast(builder.gep(data, [args[1]]), ir.VectorType(group, LANES).as_pointer())
        found = builder.load(place, align=2)
        lanes = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)

        def filled(kind: Any, number: Any) -> Any:
            undefined = ir.Constant(kind, ir.Undefined)
            return builder.shuffle_vector(builder.insert_element(undefined, number, count), undefined, lanes)

        least = filled(found.type, builder.trunc(args[2], group))
        kind = llvm_type(result)
        kept = builder.icmp_unsigned(">=", found, least)
        return builder.select(kept, filled(kind, args[3]), ir.Constant(kind, [0.0] * LANES))

    return result(words, types.intp, types.int64, scale), generate


move, kept = intrinsic(_move), intrinsic(_kept)


@part
def word_of(low: np.uint64, high: np.uint64) -> np.uint64:
    """Return the word that PCG64 makes of a state: both halves combined, rotated right by the highest six bits."""
    mixed, turn = high ^ low, high >> np.uint64(58)
    return (mixed >> turn) | (mixed << ((np.uint64(64) - turn) & np.uint64(63)))


@part
def draw_words(low: np.uint64, high: np.uint64, moves: np.ndarray, mask: int, count: int, words: np.ndarray) -> None:
    """Write the ``count`` words after the state to ``words``, and up to three more."""
    low_a, high_a = move(low, high, moves, mask, ONE_WORD)
    low_b, high_b = move(low_a, high_a, moves, mask, ONE_WORD)
    low_c, high_c = move(low_b, high_b, moves, mask, ONE_WORD)
    low_d, high_d = move(low_c, high_c, moves, mask, ONE_WORD)
    for at in range(0, count, STREAMS):
        words[at] = word_of(low_a, high_a)
        words[at + 1] = word_of(low_b, high_b)
        words[at + 2] = word_of(low_c, high_c)
        words[at + 3] = word_of(low_d, high_d)
        low_a, high_a = move(low_a, high_a, moves, mask, STREAMS_WORDS)
        low_b, high_b = move(low_b, high_b, moves, mask, STREAMS_WORDS)
        low_c, high_c = move(low_c, high_c, moves, mask, STREAMS_WORDS)
        low_d, high_d = move(low_d, high_d, moves, mask, STREAMS_WORDS)


@part
def first_word(task: Task, mask: int, step: int, begin_image: int) -> tuple[np.uint64, np.uint64]:
    """Return the state before the word of a step's first unit and image ``begin_image``."""
    low, high = task.mask_states[mask, step, 0], task.mask_states[mask, step, 1]
    for _ in range(begin_image // GROUPS):
        low, high = move(low, high, task.mask_moves, mask, ONE_WORD)
    return low, high


@part
def drop_units(
    task: Task,
    share: int,
    member: int,
    activations: np.ndarray,
    rows: int,
    width: int,
    images: int,
    together: int,
    low: np.uint64,
    high: np.uint64,
    group: int,
) -> tuple[np.uint64, np.uint64, int]:
    """Multiply a layer's ``activations`` [blocks, rows, 64] with the masks of its ``width`` units.

    Args:
        task: the steps.
        share: which of the threads this is.
        member: whose layer it is.
        activations: of a thread's images.
        rows: of a block.
        width: units of the layer.
        images: of the thread.
        together: images of all threads.
        low: the state before the word of the layer's first unit and the thread's first image.
        high: its other half.
        group: of that unit and image, counted from the step's first word.

    Returns:
        State and group of the unit after the last.
    """
    mask, moves, words = task.members.masks_of[member], task.mask_moves, task.space.mask_words[share]
    threshold, scale = task.members.dropout_threshold[member], task.members.dropout_scale[member]
    row_words = ROW_WORDS if together == task.batch else LAST_ROW_WORDS
    for unit in range(width):
        alive = False
        for image in range(0, images, LANES):
            at = (image // BLOCK * rows + unit) * BLOCK + image % BLOCK
            alive = alive or any_nonzero(load(activations, at))
        if alive:
            offset = group % GROUPS
            draw_words(low, high, moves, mask, (offset + images + GROUPS - 1) // GROUPS, words)
            for image in range(0, images, LANES):
                at = (image // BLOCK * rows + unit) * BLOCK + image % BLOCK
                store(activations, at, load(activations, at) * kept(words, offset + image, threshold, scale))
        before = group // GROUPS
        group += together
        long = group // GROUPS - before > together // GROUPS
        low, high = move(low, high, moves, mask, row_words + long)
    return low, high, group
