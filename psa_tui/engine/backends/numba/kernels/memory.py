"""What kernels work on: the network, the images, the members and room for a step, as tuples of arrays."""

from __future__ import annotations

import math
from functools import cache
from typing import Annotated, Any, NamedTuple, get_type_hints

import numpy as np
from numba import from_dtype, types

from psa_tui.engine.backends.numba.kernels.compiling import part

Reals = Annotated[np.ndarray, None, 1]
"""Of the dtype of the parameters, with one dimension; others have as many as their names say."""
Reals2 = Annotated[np.ndarray, None, 2]
Reals3 = Annotated[np.ndarray, None, 3]
Ints = Annotated[np.ndarray, np.int64, 1]
Ints2 = Annotated[np.ndarray, np.int64, 2]
Ints3 = Annotated[np.ndarray, np.int64, 3]
Words3 = Annotated[np.ndarray, np.uint64, 3]

BLOCK = 64
"""Images whose activations lie side by side."""
TERMS = 4
"""Numbers of each row in ``Workspace.row_terms``."""
_CACHE_LINE = 64
END = 0xFFFF
"""Behind the last of an image's patches, see ``patches``."""
ARRIVALS, STEPS, STOP, STOPPED = range(4)
"""Places in ``Workspace.control``: arrivals where threads meet, steps taken, whether to stop, and that all do so."""


class Layers(NamedTuple):
    """The layers of a network, the first one first, the output layer last: int64 [layers] each."""

    widths: Ints
    rows: Ints
    """Of their activations: the first layer's are those of all members of a group, filled up to whole tiles."""
    weight_at: Ints
    """Where the weights of all but the first begin, in a member's parameters after those of the first layer."""
    bias_at: Ints
    skips: Ints
    """1 where the activations of the last layer but one are added before ReLU, else 0."""
    mask_at: Ints
    """The first row of the dropout masks for each; -1 for one that is not dropped."""
    hidden_at: Ints
    """The first hidden unit whose activation each computes; -1 where its units are not hidden."""


class Patches(NamedTuple):
    """Images as the patches that are not black, see ``patches``; or, see ``pixels``, as the pixels that are not."""

    begins: Annotated[np.ndarray, np.uint32, 1]
    """Of each image's record, in sixteen bytes: uint32 [N + 1]; or of each strip of it: [N * strips + 1]."""
    ids: Annotated[np.ndarray, np.uint16, 1]
    """Records as sixteen-bit numbers; or the number of each pixel: uint16 [E]."""
    values: Annotated[np.ndarray, np.uint8, 1]
    """Records as bytes; or how bright each pixel is: uint8 [E]."""
    real: Reals
    """Which of a patch's places are pixels: [patches * 16]."""
    centre: float
    scale: float
    """A network sees (pixel - centre) * scale."""


class Groups(NamedTuple):
    """Members, one after the other, that see the images in the same order.

    Their first layers are one layer of so many more units: images are passed over once for all of them. What a group
    that is smaller than the largest lacks is computed for nothing, and read by nobody.
    """

    most: int
    """The members of the largest."""
    begins: Ints
    """The first member of each, and how many there are: int64 [groups + 1]."""
    of: Ints
    """Each member's: int64 [M]."""
    order_of: Ints
    """The order of each: int64 [groups]."""
    order_begins: Ints
    """The first group of each order, and how many there are: int64 [orders + 1]."""


class Members(NamedTuple):
    """Members of a population; each has its own row."""

    groups: Groups
    first: Reals3
    """The first layers' weights and, of those who train, their two moments: [3, groups, some] or [1, groups, some].

    How they lie, ``patches`` and ``pixels`` say."""
    rest: Reals3
    """All other parameters and their moments: [3, M, some] or [1, M, some]."""
    weight_sums: Reals3
    """Of each unit of the first layers, in parts of which each thread has one: [groups, shares, rows]."""
    labels: Annotated[np.ndarray, np.uint16, 2]
    """Sets of labels of all images: uint16 [sets, N]."""
    labels_of: Ints
    """Each member's set: int64 [M]."""
    masks_of: Ints
    """Which of the dropout masks are each member's, -1 where it does not drop: int64 [M]."""
    dropout_scale: Reals
    """What a mask multiplies with where a unit is kept: [M]."""
    dropout_threshold: Ints
    """The least 16 bits, as a number, with which a unit is kept: int64 [M]."""
    unreached: Ints
    """The last layer that no image can activate, see ``unreached``, 0 where none is known: int64 [M]."""
    reads_pixels: Annotated[np.ndarray, np.bool_, 1]
    """Whether a member with that order is to be computed from its first layer on: bool [orders]."""


class Workspace(NamedTuple):
    """Memory for one group's step; every thread has its share, but for ``activation_at`` and ``control``."""

    activations: Reals2
    """Of every layer, [blocks, rows, 64] each: [shares, some]."""
    activation_at: Ints
    """Where each layer's begin: int64 [layers]."""
    first_deltas: Reals
    """The gradients of the first layers' activations: [shares, blocks, rows, 64], flat."""
    deltas: Reals
    """Those of two later layers' activations: [shares, 2, blocks, most rows, 64], flat."""
    gradients: Reals
    """Of all parameters after the first layer's weights: [most members of a group, shares, some], flat."""
    row_terms: Reals2
    """What is added to each row of the first layers, or, backward, to its gradients and its three rates: four each."""
    delta_sums: Reals2
    """The first layers' deltas, summed over a thread's images: [shares, rows]."""
    live: Ints3
    """The live units of each layer: int64 [shares, layers, most rows]."""
    live_counts: Ints2
    """How many each layer has: int64 [shares, layers]."""
    list_counts: Ints2
    """Of a thread's images, those that have each patch: int64 [shares, patches]."""
    list_values: Annotated[np.ndarray, np.uint8, 2]
    """Their pixels: uint8 [shares, patches * most images * 16]."""
    list_rows: Annotated[np.ndarray, np.int32, 2]
    """Where the deltas of each begin: int32 [shares, patches * most images]."""
    first_gradients: Reals2
    """Of the first layer's weights, where images are not listed: [shares, patches * units * 16]."""
    live_tiles: Annotated[np.ndarray, np.bool_, 2]
    """Whether a tile of the first layers has a delta, of a thread's images, that is not zero: bool [shares, tiles]."""
    scratch: Reals2
    """Room for vectors that are read as numbers or transposed, not as they were written: [shares, some]."""
    mask_words: Annotated[np.ndarray, np.uint64, 2]
    """What a unit's dropout mask is made of, for a thread's images: uint64 [shares, some]."""
    control: Ints
    """Numbers that threads see of one another, at ``ARRIVALS`` and so on: int64 [4], zero at first."""


class PixelLists(NamedTuple):
    """The pixels of a batch that are not black, of each block of 64 images; and room for a tile."""

    image_begins: Annotated[np.ndarray, np.int32, 3]
    """Where those of each image's strips begin: int32 [shares, blocks, 64 * strips + 1]."""
    weight_at: Annotated[np.ndarray, np.int32, 3]
    """Where each one's weights begin in a tile: int32 [shares, blocks, most]."""
    factors: Reals3
    """Each one as a number, as those."""
    counts: Ints3
    """How many images have each pixel: int64 [shares, blocks, pixels]."""
    entries: Annotated[np.ndarray, np.uint8, 3]
    """For each of them its number in the block, and the pixel: uint8 [shares, blocks, pixels * 64 * 2]."""
    sums: Reals2
    """A tile's activations or deltas of a block, [64, units of a tile], and two rows more: [shares, 66 * units]."""
    gradients: Reals2
    """Of a tile: [shares, pixels * units]."""


class Task(NamedTuple):
    """Steps to be taken by every member, and all that they are taken with. One type for all networks of a dtype."""

    images: Patches
    layers: Layers
    members: Members
    space: Workspace
    lists: PixelLists
    """Empty arrays where the first layer is computed by ``patches``."""
    orders: Ints2
    """In which the steps of the members see the images, one after the other: int64 [orders, images]."""
    batch: int
    """Images a step; the last may have fewer."""
    trains: bool
    """Whether weights are updated; else images are only classified, and correct answers counted."""
    rates: Reals3
    """Those of each member and step, as ``adamw`` wants them: [M, steps, 3]."""
    mask_states: Words3
    """From where each step's dropout masks are drawn, see ``dropout``: uint64 [masks, steps, 2]."""
    mask_moves: Words3
    """How such a state moves: uint64 [masks, moves, 4]."""
    losses: Annotated[np.ndarray, np.float64, 3]
    """Set to the sum of losses of each member's step, where weights are updated: float64 [shares, M, steps]."""
    correct: Ints3
    """Set to the correct answers in each member's step: int64 [shares, M, steps]."""
    active: Annotated[np.ndarray, np.bool_, 2]
    """Marks the hidden units that an image activates, where they are only classified: bool [M, hidden units]."""


def zeros(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Return zeros that begin where a cache line does: no vector then lies in two."""
    count = math.prod(shape) * np.dtype(dtype).itemsize
    numbers = np.zeros(count + _CACHE_LINE, np.uint8)
    begin = -numbers.__array_interface__["data"][0] % _CACHE_LINE
    return numbers[begin : begin + count].view(dtype).reshape(shape)


@cache
def numba_type(kind: Any, dtype: np.dtype) -> Any:
    """Return the Numba type of a tuple ``kind``, as ``Task``, for parameters of ``dtype``."""
    return types.BaseTuple.from_types(
        [_type_of_field(hint, dtype) for hint in get_type_hints(kind, include_extras=True).values()], kind
    )


def _type_of_field(hint: Any, dtype: np.dtype) -> Any:
    if hasattr(hint, "__metadata__"):
        of, dimensions = hint.__metadata__
        return types.Array(from_dtype(np.dtype(of or dtype)), dimensions, "C")
    if hint is float:
        return from_dtype(dtype)
    return {int: types.int64, bool: types.boolean}.get(hint) or numba_type(hint, dtype)


@part
def images_of(task: Task, step: int, share: int) -> tuple[int, int]:
    """Return where in an order the images of a thread begin, in a ``step``, and where they end."""
    begin = step * task.batch
    first, end = share_of(min(task.batch, task.orders.shape[1] - begin), share, len(task.space.activations))
    return begin + first, begin + end


@part
def order_of(task: Task, member: int) -> int:
    """Return the number of the order in which a ``member`` sees the images."""
    number: int = task.members.groups.order_of[task.members.groups.of[member]]
    return number


@part
def is_first(task: Task, member: int) -> bool:
    """Return whether a ``member`` is the first of those who see the images in its order."""
    groups = task.members.groups
    group = groups.of[member]
    first: bool = member == groups.begins[groups.order_begins[groups.order_of[group]]]
    return first


@part
def share_of(count: int, share: int, shares: int) -> tuple[int, int]:
    """Return the first of ``count`` things that is a thread's, and the first one after those."""
    return count * share // shares, count * (share + 1) // shares
