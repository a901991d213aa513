"""Which pixels are worth a place in the big matrix product: those that are not nearly always zero.

About a quarter of MNIST's 784 pixels are black in almost every image; in a batch only a few images have ink
there. The dense pixels stay a matrix. The sparse ones of a batch are a sum of very few rank-one terms: one
for each of those images, and one for what centring makes of black. That is exact, whatever the images hold;
images whose every pixel is busy merely have no sparse pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from psa_tui.engine.images import Images

_INKED_FRACTION = 1 / 16
"""Pixels are sparse when at most this fraction of the images has ink in any of them."""
_CANDIDATE_INK = 2.0
"""Pixels that together have more ink than this, counted in pixels an image, are dense without further question."""
_MULTIPLE = 16
"""The number of dense pixels is a multiple of this, a register's width."""
_BLOCK = 1000
"""Images counted at once, so that counting takes little memory."""
_KEY = "torch"
"""Of ``Images.prepared``."""


@dataclass(frozen=True, slots=True)
class SparsePixels:
    """The pixels [N, inputs] of a split, divided into dense and sparse ones, the positions without any ink last."""

    pixel_order: Tensor
    """The positions in an image, dense ones first: int64 [inputs]."""
    dense: Tensor
    """The dense pixels, as the split has them: [N, dense]."""
    sparse_count: int
    """How many positions are not dense."""
    image: Tensor
    """Of every sparse pixel that is not zero, its image: int64 [E]."""
    position: Tensor
    """Its position, counted from the first sparse one in ``pixel_order``: int64 [E]."""
    value: Tensor
    """The pixel, as the split has it: [E]."""

    def factors(self, visits: Tensor, scale: PixelScale, dtype: torch.dtype) -> LowRankFactors:
        """Return the sparse pixels of the images that steps see, int64 ``visits`` [orders, steps, batch], none twice.

        They are what ``scale`` makes of pixels. The first factor of each order is left to what all its images have in
        common.
        """
        steps, batch = visits.shape[1:]
        width = batch + self.sparse_count
        entries = [self._entries(order) for order in visits]
        rank = 1 + max(int(slot.max()) + 1 if len(slot) else 0 for _, slot, *_ in entries)
        step, index, value = [], [], []
        for at, (image_step, slot, in_batch, image, position, pixel) in enumerate(entries):
            row = (at * rank + 1 + slot) * width
            step += [image_step, image_step[image]]
            index += [row + in_batch, row[image] + batch + position]
            values = pixel.to(dtype)
            if scale.factor is not None:
                values *= scale.factor[self.dense.shape[1] + position]
            value += [torch.ones(len(slot), dtype=dtype, device=pixel.device), values]
        sorted_step, entry = torch.cat(step).sort()
        counts = torch.bincount(sorted_step, minlength=steps).tolist()
        return LowRankFactors(
            rank, torch.split(torch.cat(index)[entry], counts), torch.split(torch.cat(value)[entry], counts)
        )

    def _entries(self, visits: Tensor) -> tuple[Tensor, ...]:
        """Return, of the images with ink in sparse pixels: their step, their number in it, their index in its batch.

        Then of every sparse pixel with ink: the index of its image among those, its position and its value.
        """
        batch = visits.shape[1]
        visited = torch.full((len(self.dense),), -1, device=visits.device)
        visited[visits.flatten()] = torch.arange(visits.numel(), device=visits.device)
        visit = visited[self.image]
        entry = (visit >= 0).nonzero().squeeze(1)
        visit, order = visit[entry].sort()
        entry = entry[order]
        visit, image = torch.unique_consecutive(visit, return_inverse=True)
        step = visit // batch
        slot = torch.arange(len(step), device=step.device) - torch.searchsorted(step, step)
        return step, slot, visit % batch, image, self.position[entry], self.value[entry]


@dataclass(frozen=True, slots=True)
class LowRankFactors:
    """The factors of every step's sparse pixels, as what in them is not zero.

    A step's factors are a tensor [orders, rank, batch + sparse]; an order's first ``batch`` columns, transposed, times
    its others are the sparse pixels of that batch. The first factor's entries are not listed here.
    """

    rank: int
    index: Sequence[Tensor]
    """For each step, indices into the flattened tensor: int64 [some]."""
    value: Sequence[Tensor]
    """For each step, what is there: [some]."""


@dataclass(frozen=True, slots=True)
class PixelScale:
    """What a network sees of pixels: ``(pixel - centre) * factor * scale``."""

    centre: float | Tensor
    """One number, or one for each position of an image: [inputs]."""
    factor: Tensor | None
    """For each position: [inputs]; None where it is 1 everywhere."""
    scale: float
    """What all are multiplied with, in the first layer's product."""

    def put(self, pixels: Tensor, inputs: Tensor) -> None:
        """Write to ``inputs`` [some, positions] what the product multiplies of ``pixels``, of the first positions."""
        some = slice(inputs.shape[-1])
        inputs.copy_(pixels).sub_(self.centre[some] if isinstance(self.centre, Tensor) else self.centre)
        if self.factor is not None:
            inputs.mul_(self.factor[some])

    def put_black(self, inputs: Tensor, weights: Tensor) -> None:
        """Write the factors of black, last positions: ``inputs`` [orders, batch], ``weights`` [orders, positions]."""
        if self.factor is None:
            inputs[:], weights[:] = -self.centre, 1
        else:
            inputs[:], weights[:] = -1, (self.centre * self.factor)[len(self.factor) - weights.shape[1] :]


def pixel_scale(images: Images, like: Tensor, order: Tensor | None = None) -> PixelScale:
    """Return what a network sees of ``images``, for weights ``like`` these; positions are in ``order``."""
    if images.are_floats:
        return PixelScale(0.0, None, 1.0)
    if len(images.mean) == 1:
        return PixelScale(255 * images.mean[0], None, 1 / (255 * images.std[0]))
    size = images.pixels.shape[1] // len(images.mean)
    numbers = [[255 * mean for mean in images.mean], [1 / (255 * std) for std in images.std]]
    centre, factor = (like.new_tensor(of_channels).repeat_interleave(size) for of_channels in numbers)
    return PixelScale(centre, factor, 1.0) if order is None else PixelScale(centre[order], factor[order], 1.0)


def sparse_pixels(images: Images) -> SparsePixels:
    """Return the pixels of ``images``, divided; that is done once."""
    if _KEY not in images.prepared:
        images.prepared[_KEY] = divide_pixels(images.pixels)
    found: SparsePixels = images.prepared[_KEY]
    return found


def divide_pixels(pixels: Tensor) -> SparsePixels:
    """Divide ``pixels`` [N, inputs] into dense and sparse ones."""
    counts = torch.zeros(pixels.shape[1], dtype=torch.int64, device=pixels.device)
    for start in range(0, len(pixels), _BLOCK):
        some = pixels[start : start + _BLOCK]
        # A matrix product counts ten times faster than a sum of booleans, and exactly.
        counts += (torch.ones(len(some), device=some.device) @ (some != 0).float()).long()
    order = counts.argsort(descending=True, stable=True)
    following = counts.sum() - counts[order].cumsum(0)
    surely_dense = int((following > _CANDIDATE_INK * len(pixels)).sum())
    rest = _take(pixels, order[surely_dense:])
    image, position = rest.nonzero(as_tuple=True)
    # The last position where an image has ink decides up to where it is one of the inked.
    last = torch.full((len(pixels),), -1, device=pixels.device).scatter_reduce(0, image, position, "amax")
    inked = torch.bincount(last + 1, minlength=rest.shape[1] + 1).flip(0).cumsum(0).flip(0)[1:]
    needed = surely_dense + int((inked > _INKED_FRACTION * len(pixels)).sum())
    dense = min(len(order), -(-needed // _MULTIPLE) * _MULTIPLE)
    sparse = position >= dense - surely_dense
    image, position = image[sparse], position[sparse]
    value, position = rest[image, position], position - (dense - surely_dense)
    return SparsePixels(order, _take(pixels, order[:dense]), len(order) - dense, image, position, value)


def _take(pixels: Tensor, positions: Tensor) -> Tensor:
    """Return ``positions`` of every row of ``pixels``; on the CPU by NumPy, which is four times faster at it."""
    if pixels.device.type == "cpu":
        return torch.from_numpy(np.take(pixels.numpy(), positions.numpy(), axis=1))
    return pixels.index_select(1, positions)
