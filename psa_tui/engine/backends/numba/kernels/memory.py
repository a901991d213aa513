"""What kernels work on: the network, the images, the members and room for a step, as tuples of arrays."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

Array = np.ndarray
Tile = tuple[int, ...]
"""Its length is how many things are computed at once; it is a part of the type, so kernels are compiled for it."""

ARRIVALS, STEPS, STOP, STOPPED = range(4)
"""Places in ``Workspace.control``: arrivals where threads meet, steps taken, whether to stop, and that all do so."""


class Layers(NamedTuple):
    """The layers of a network, the first one first, the output layer last: int64 [layers] each."""

    widths: Array
    rows: Array
    """Of their activations: those of the first layer are filled up to whole tiles."""
    weight_at: Array
    """Where the weights of all but the first begin, in a member's parameters after those of the first layer."""
    bias_at: Array


class Patches(NamedTuple):
    """Images as the patches that are not black, see ``patches``; or, see ``pixels``, as the pixels that are not."""

    begins: Array
    """Of each image: int64 [N + 1]; or of each strip of it: [N * strips + 1]."""
    patch_of: Array
    """uint16 [E]."""
    values: Array
    """uint8 [E * 16], or [E]."""
    real: Array
    """Which of a patch's places are pixels: [patches * 16]."""
    centre: float
    scale: float
    """A network sees (pixel - centre) * scale."""


class Members(NamedTuple):
    """Members that see the same images in one order; each has its own row."""

    first: Array
    """The first layer's weights and their two moments: [3, M, some], see ``patches`` and ``pixels``."""
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
    """Memory for one member's step; every thread has its share, but for ``activation_at`` and ``control``."""

    activations: Array
    """Of every layer, [blocks, rows, 64] each: [shares, some]."""
    activation_at: Array
    """Where each layer's begin: int64 [layers]."""
    deltas: Array
    """The gradients of two layers' activations: [shares, 2, blocks, most rows, 64], flat."""
    gradients: Array
    """Of all parameters after the first layer's weights: [shares, some], flat."""
    delta_sums: Array
    live: Array
    """The live units of each layer: int64 [shares, layers, most rows]."""
    live_counts: Array
    list_counts: Array
    list_values: Array
    list_images: Array
    live_tiles: Array
    scratch: Array
    control: Array
    """Numbers that threads see of one another, at ``ARRIVALS`` and so on: int64 [4], zero at first."""
