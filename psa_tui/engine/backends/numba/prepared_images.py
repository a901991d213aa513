"""Images and labels as the kernels want them, computed once for each data set."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from psa_tui.engine.backends.numba.kernels.memory import END, Patches, zeros
from psa_tui.engine.backends.numba.kernels.vector_type import LANES
from psa_tui.engine.images import Images
from psa_tui.errors import ConfigError

_STRIP = 100
"""A strip has at most so many pixels: their weights in a tile take most of the first cache, 32 KB."""
_SIDE = 4
"""A patch of a picture is a square of so many pixels a side."""
_PATCHES, _PIXELS, _LABELS = "numba patches", "numba pixels", "numba labels"
"""Of ``Images.prepared``."""


def pixel_order(shape: Sequence[int]) -> np.ndarray:
    """Return which pixel of an image of ``shape`` is where in its patches: int64 [patches * 16], -1 where none is.

    A patch is a square of a picture, as far as sides are multiples of four: ink lies together.
    """
    pixels = int(np.prod(shape))
    order = np.arange(pixels)
    if len(shape) > 1:
        row, column = order // shape[-1], order % shape[-1]
        order = np.lexsort((column % _SIDE, row % _SIDE, column // _SIDE, row // _SIDE))
    return np.concatenate([order, np.full(-pixels % LANES, -1)])


def patched(images: Images) -> tuple[Patches, np.ndarray]:
    """Return ``images`` as patches, and the order of their pixels; that is computed once."""
    if _PATCHES not in images.prepared:
        order = pixel_order(images.input_shape)
        pixels = _in_order(images.pixels.numpy(), order).reshape(len(images), len(order) // LANES, LANES)
        halves = pixels.view(np.uint64)
        inked = (halves[..., 0] | halves[..., 1]) != 0
        counts = inked.sum(1)
        heads = -(-(counts + 2) * np.uint16().itemsize // LANES)
        begins = begins_of(heads + counts, "sixteen pixels that are not all black")
        values = zeros((begins[-1] * LANES,), np.dtype(np.uint8))
        ids, first_id = values.view(np.uint16), begins[:-1] * LANES // np.uint16().itemsize
        ids[first_id] = heads
        ids[first_id + 1 + counts] = END
        number, before = np.arange(counts.sum()), np.cumsum(counts) - counts
        patch_of = np.broadcast_to(np.arange(inked.shape[1], dtype=np.uint16), inked.shape)
        ids[np.repeat(first_id + 1 - before, counts) + number] = patch_of[inked]
        whole = np.dtype((np.void, LANES))
        values.view(whole)[np.repeat(begins[:-1] + heads - before, counts) + number] = pixels.view(whole)[..., 0][inked]
        images.prepared[_PATCHES] = (
            Patches(
                begins.astype(np.uint32),
                ids,
                values,
                (order >= 0).astype(np.float32),
                255 * images.mean[0],
                1 / (255 * images.std[0]),
            ),
            order,
        )
    found: tuple[Patches, np.ndarray] = images.prepared[_PATCHES]
    return found


def _in_order(pixels: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Return ``pixels``, uint8 [N, inputs], in an ``order`` of columns; black, 0, where that is -1."""
    words = order.reshape(-1, _SIDE)
    if pixels.shape[1] % _SIDE == 0 and (words == words[:, :1] // _SIDE * _SIDE + np.arange(_SIDE)).all():
        # Four at once, as they lie in a row of a square, take a fifth of the time.
        return np.take(pixels.view(np.uint32), words[:, 0] // _SIDE, axis=1).view(np.uint8)
    taken = np.take(pixels, order, axis=1)
    taken[:, order < 0] = 0
    return taken


def listed(images: Images) -> tuple[Patches, np.ndarray]:
    """Return ``images`` as pixels, and their order, which is that of the image; that is computed once."""
    if _PIXELS not in images.prepared:
        seen = images.pixels.numpy()
        inputs = seen.shape[1]
        strips = strips_of(inputs)
        length = -(-inputs // strips)
        # Their places by ``nonzero`` would take sixteen bytes each for a moment, more than all else in the process.
        inked = seen != 0
        counts = np.stack([inked[:, at : at + length].sum(1) for at in range(0, strips * length, length)], 1)
        pixel_of = np.broadcast_to(np.arange(inputs, dtype=np.uint16), seen.shape)
        images.prepared[_PIXELS] = (
            Patches(
                begins_of(counts, "pixels that are not black").astype(np.uint32),
                pixel_of[inked],
                seen[inked],
                np.ones(0, np.float32),
                255 * images.mean[0],
                1 / (255 * images.std[0]),
            ),
            np.arange(inputs),
        )
    found: tuple[Patches, np.ndarray] = images.prepared[_PIXELS]
    return found


def begins_of(sizes: np.ndarray, what: str) -> np.ndarray:
    """Return where each one's numbers begin, and where the last one's end, given their ``sizes``: int64 [sizes + 1].

    Raises:
        ConfigError: kernels, which have 32 bits for it, would take some for others.
    """
    begins = np.concatenate([[0], np.cumsum(sizes)])
    if begins[-1] > np.iinfo(np.uint32).max:
        raise ConfigError(f"{begins[-1]:,} {what}, more than kernels count; use --backend torch")
    return begins


def strips_of(pixels: int) -> int:
    """Return in how many strips an image of so many ``pixels`` is divided."""
    return -(-pixels // _STRIP)


def labels_of(images: Images, others: Tensor | None = None) -> np.ndarray:
    """Return the labels of ``images``, or ``others``, as kernels want them: uint16 [N]."""
    if others is not None:
        return others.numpy().astype(np.uint16)
    if _LABELS not in images.prepared:
        images.prepared[_LABELS] = images.labels.numpy().astype(np.uint16)
    labels: np.ndarray = images.prepared[_LABELS]
    return labels
