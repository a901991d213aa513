"""Which pixels are worth a place in the big matrix product: those that are not nearly always zero.

About a quarter of MNIST's 784 pixels are black in almost every image; in a batch only a few images have ink
there. The common columns stay a dense matrix. The others of a batch are a sum of very few rank-one terms: one
for each of those images, and one for what centring makes of black. That is exact, whatever the images hold;
images whose every pixel is busy merely have no such columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

_TOUCHED_SHARE = 1 / 16
"""Columns are left to factors when at most this share of the images has ink in any of them."""
_CANDIDATES_INK = 2.0
"""Columns that together have more ink than this, in pixels an image, are not asked."""
_MULTIPLE = 16
"""The number of common columns is a multiple of this, a register's width."""

_BLOCK = 1000
"""Images counted at once, so that counting takes little memory."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The pixels [N, 784] of a split, divided into common, rare and black columns."""

    order: Tensor
    """The columns, common ones first, black ones last: int64 [784]."""
    common: Tensor
    """uint8 [N, common]."""
    others: int
    """How many columns are not common: rare or black."""
    image: Tensor
    """Of every pixel in them that is not zero, its row: int64 [E]."""
    column: Tensor
    """Its column, counted from the first of them: int64 [E]."""
    value: Tensor
    """The pixel: uint8 [E]."""

    def factors(self, visits: Tensor, dtype: torch.dtype) -> Factors:
        """The columns that are not common, of the images that the steps see: int64 [orders, steps, batch], none twice.

        The first factor of each order is left to what all its images have in common.
        """
        steps, batch = visits.shape[1:]
        width = batch + self.others
        found = [self._entries(order) for order in visits]
        rank = 1 + max(int(slot.max()) + 1 if len(slot) else 0 for _, slot, *_ in found)
        step, index, value = [], [], []
        for at, (image_step, slot, place, image, column, pixel) in enumerate(found):
            row = (at * rank + 1 + slot) * width
            step += [image_step, image_step[image]]
            index += [row + place, row[image] + batch + column]
            value += [torch.ones(len(slot), dtype=dtype, device=pixel.device), pixel.to(dtype)]
        sorted_step, entry = torch.cat(step).sort()
        counts = torch.bincount(sorted_step, minlength=steps).tolist()
        return Factors(rank, torch.split(torch.cat(index)[entry], counts), torch.split(torch.cat(value)[entry], counts))

    def _entries(self, visits: Tensor) -> tuple[Tensor, ...]:
        """Of the images with ink in these columns: their step, which of its images they are, and their place in it.

        Then of every pixel with ink: its image among those, its column and its value.
        """
        batch = visits.shape[1]
        visited = torch.full((len(self.common),), -1, device=visits.device)
        visited[visits.flatten()] = torch.arange(visits.numel(), device=visits.device)
        position = visited[self.image]
        entry = (position >= 0).nonzero().squeeze(1)
        position, order = position[entry].sort()
        entry = entry[order]
        position, image = torch.unique_consecutive(position, return_inverse=True)
        step = position // batch
        slot = torch.arange(len(step), device=step.device) - torch.searchsorted(step, step)
        return step, slot, position % batch, image, self.column[entry], self.value[entry]


@dataclass(frozen=True, slots=True)
class Factors:
    """Thin factors of some columns, for every step: what differs from zero in them.

    A step's factors are a tensor [orders, rank, batch + columns]; an order's first ``batch`` columns, transposed, times
    its others are the pixels of that batch. The first factor is not told here.
    """

    rank: int
    index: Sequence[Tensor]
    """For each step, places in the flattened tensor: int64 [some]."""
    value: Sequence[Tensor]
    """For each step, what is there: [some]."""


def divide_columns(pixels: Tensor) -> Columns:
    """Divide ``pixels``, uint8 [N, 784]."""
    counts = torch.zeros(pixels.shape[1], dtype=torch.int64, device=pixels.device)
    for start in range(0, len(pixels), _BLOCK):
        some = pixels[start : start + _BLOCK]
        # A matrix product counts ten times faster than a sum of booleans, and exactly.
        counts += (torch.ones(len(some), device=some.device) @ (some != 0).float()).long()
    order = counts.argsort(descending=True, stable=True)
    left = counts.sum() - counts[order].cumsum(0)
    candidates = int((left > _CANDIDATES_INK * len(pixels)).sum())
    rest = _take(pixels, order[candidates:])
    image, column = rest.nonzero(as_tuple=True)
    # The last column of every image that has ink in any of them decides from where on it is touched.
    last = torch.full((len(pixels),), -1, device=pixels.device).scatter_reduce(0, image, column, "amax")
    touched = torch.bincount(last + 1, minlength=rest.shape[1] + 1).flip(0).cumsum(0).flip(0)[1:]
    needed = candidates + int((touched > _TOUCHED_SHARE * len(pixels)).sum())
    common = min(len(order), -(-needed // _MULTIPLE) * _MULTIPLE)
    rare = column >= common - candidates
    image, column = image[rare], column[rare]
    value, column = rest[image, column], column - (common - candidates)
    return Columns(order, _take(pixels, order[:common]), len(order) - common, image, column, value)


def _take(pixels: Tensor, columns: Tensor) -> Tensor:
    """``columns`` of ``pixels``; on the CPU by NumPy, which is four times faster at it."""
    if pixels.device.type == "cpu":
        return torch.from_numpy(np.take(pixels.numpy(), columns.numpy(), axis=1))
    return pixels.index_select(1, columns)
