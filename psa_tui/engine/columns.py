"""Which pixels are worth a place in the big matrix product: those that are not nearly always zero.

About a quarter of MNIST's 784 pixels are black in almost every image; in a batch of 256 a handful of them
are not. The common columns stay a dense matrix. The rare columns of a batch are a sum of very few rank-one
terms, one for each of the handful; the columns that are black in every image add nothing to the product.
That is exact, whatever the images hold; images whose every pixel is busy merely have no such columns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

_RARE_SHARE = 1 / 32
"""Columns are rare when all of them together have at most this many non-zero pixels an image."""
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
    rare: int
    """How many columns are rare."""
    image: Tensor
    """Of every rare pixel that is not zero, its row: int64 [E]."""
    column: Tensor
    """Its column, counted from the first rare one: int64 [E]."""
    value: Tensor
    """The pixel: uint8 [E]."""

    def factors(self, order: Tensor, starts: range, batch: int, dtype: torch.dtype) -> Tensor:
        """The rare columns of the batches that begin at each of ``starts`` in ``order`` (int64 [N]), as factors.

        Returns:
            [len(starts), rank, batch + rare]: step s's first ``batch`` columns, transposed, times its other
            columns are the pixels of that batch in the rare columns.
        """
        visited = torch.empty_like(order)
        visited[order] = torch.arange(len(order), device=order.device)
        position, entry = (visited[self.image] - starts.start).sort()
        inside = (position >= 0) & (position < len(starts) * batch)
        position, entry = position[inside], entry[inside]
        step = position // batch
        slot = torch.arange(len(step), device=step.device) - torch.searchsorted(step, step)
        rank = int(slot.max()) + 1 if len(slot) else 0
        factors = torch.zeros(len(starts), rank, batch + self.rare, dtype=dtype, device=order.device)
        factors[step, slot, position % batch] = self.value[entry].to(dtype)
        factors[step, slot, batch + self.column[entry]] = 1
        return factors


def divide_columns(pixels: Tensor) -> Columns:
    """Divide ``pixels``, uint8 [N, 784]."""
    counts = torch.zeros(pixels.shape[1], dtype=torch.int64, device=pixels.device)
    for start in range(0, len(pixels), _BLOCK):
        some = pixels[start : start + _BLOCK]
        # A matrix product counts ten times faster than a sum of booleans, and exactly.
        counts += (torch.ones(len(some), device=some.device) @ (some != 0).float()).long()
    order = counts.argsort(descending=True, stable=True)
    left = counts.sum() - counts[order].cumsum(0)
    needed = int((left > _RARE_SHARE * len(pixels)).sum()) + 1
    common = min(len(order), -(-needed // _MULTIPLE) * _MULTIPLE)
    rest = _take(pixels, order[common:])
    image, column = rest.nonzero(as_tuple=True)
    rare = int((counts[order[common:]] > 0).sum())
    return Columns(order, _take(pixels, order[:common]), rare, image, column, rest[image, column])


def _take(pixels: Tensor, columns: Tensor) -> Tensor:
    """``columns`` of ``pixels``; on the CPU by NumPy, which is four times faster at it."""
    if pixels.device.type == "cpu":
        return torch.from_numpy(np.take(pixels.numpy(), columns.numpy(), axis=1))
    return pixels.index_select(1, columns)
