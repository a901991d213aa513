"""The weights of some members as the kernels want them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from psa_tui.engine.backends.numba.kernels.dropout import GROUPS, STREAMS
from psa_tui.engine.backends.numba.kernels.memory import (
    BLOCK,
    TERMS,
    Groups,
    Layers,
    Members,
    PixelLists,
    Workspace,
    zeros,
)
from psa_tui.engine.backends.numba.kernels.processor import has_wide_registers
from psa_tui.engine.backends.numba.kernels.vector_type import LANES
from psa_tui.engine.backends.numba.prepared_images import listed, patched, strips_of
from psa_tui.engine.images import Images
from psa_tui.method.randomness import DropoutMaskDraws
from psa_tui.networks.stacked import StackedNetwork

_MOST_UNITS, _MOST_UNITS_AVX512 = 4, 20
"""So many units are computed at once: their sums, two registers of sixteen each with AVX2 and one of 32 with AVX-512,
leave room for what is summed."""
_MOST_OF_GROUP_AVX512 = 10
"""Of several members' first layers: with more, most numbers of members would need machine code of their own."""
_UNLISTED_ROWS = 4
"""The gradients of so many units are added up image by image: they stay in the first cache."""
_FEW_UNITS, _ROWS_TOGETHER = 16, 96
"""First layers of up to so many units each, and in all, are one; wider ones fill whole tiles alone."""
_WIDE = 64
"""So many units and more are multiplied with pixels, fewer with patches."""
_VECTORS = {4: 1.0, 2: 1.2}
"""As many vectors of units a wide layer's tile has, and about how much a unit's work is then, measured."""
_LAYOUT = "numba layout"
"""Of ``Images.prepared``."""


class FirstLayers(NamedTuple):
    """How the first layers of some members are computed."""

    wide: bool
    """By ``pixels``, else by ``patches``."""
    units_at_once: int
    """Or vectors of units, where they are wide."""
    tile: int
    """The units of a tile."""
    rows: int
    """The units of a group, filled up to whole tiles."""
    groups: Groups


class Layout:
    """How the parameters of a network lie in the kernels' memory."""

    def __init__(self, network: StackedNetwork, images: Images, shares: int, members: Sequence[int]) -> None:
        """Lay out the parameters of so many ``members`` of each order of ``images``, for ``shares`` threads."""
        self.made_for = network, shares, members
        self.shares = shares
        self._rooms: dict[tuple[int, np.dtype, bool], tuple[Workspace, PixelLists]] = {}
        self.layers = network.layers
        width = self.layers[0].outputs
        self.wide, units_at_once, self.units, self.rows, self.groups = first_layers_of(width, network.inputs, members)
        self.group_count = len(self.groups.order_of)
        self.slots = self.groups.of * self.groups.most + np.arange(sum(members)) - self.groups.begins[self.groups.of]
        self.listed = not self.wide and width * self.groups.most > _UNLISTED_ROWS
        self.images, pixel_order = listed(images) if self.wide else patched(images)
        self.places_of_patch = 1 if self.wide else LANES
        self.places = np.flatnonzero(pixel_order >= 0)
        self.pixels = pixel_order[self.places]
        self.patches = len(pixel_order) // self.places_of_patch
        self.rest_at = self.layers[0].bias_offset
        self.rest = -(-(self.layers[-1].end - self.rest_at) // LANES) * LANES
        self.kernel_layers = kernel_layers_of(network, self.rows)
        narrowest = min(layer.outputs for layer in self.layers[1:])
        later_units = 4 if narrowest >= 4 else 2 if narrowest >= 2 else 1
        residual = any(layer.skip for layer in self.layers)
        self.kind = (self.wide, units_at_once, self.listed, later_units, residual)

    def members(
        self,
        rows: np.ndarray,
        moments: np.ndarray | None,
        labels: Sequence[np.ndarray],
        dropout: Sequence[DropoutMaskDraws | None],
        unreached: np.ndarray | None = None,
        trains: bool = True,
    ) -> Members:
        """Return the members whose parameters are ``rows`` [M, parameters].

        Args:
            rows: their weights.
            moments: AdamW's, [M, 2, parameters]; None where they are zero.
            labels: of all images, uint16 [N] for each member; one and the same array where they are the same.
            dropout: each member's masks; None where it does not drop.
            unreached: the last layer of each that no image can activate, 0 where none is known; None where all count.
            trains: whether they have moments.
        """
        count, dtype, width = len(rows), rows.dtype, self.layers[0].outputs
        kinds = 3 if trains else 1
        first = zeros((kinds, self.group_count, self.rows * self.patches * self.places_of_patch), dtype)
        rest = zeros((kinds, count, self.rest), dtype)
        every = [rows] if moments is None else [rows, moments[:, 0], moments[:, 1]]
        for which, numbers in enumerate(every):
            filled = np.zeros((self.group_count, self.rows, self.patches * self.places_of_patch), dtype)
            weights = self._of_slots(numbers[:, : self.rest_at].reshape(count, width, -1))
            filled[:, : weights.shape[1], self.places] = weights[:, :, self.pixels]
            tiles = filled.reshape(self.group_count, -1, self.units, self.patches, self.places_of_patch)
            first[which] = tiles.transpose(0, 1, 3, 2, 4).reshape(self.group_count, -1)
            rest[which, :, : rows.shape[1] - self.rest_at] = numbers[:, self.rest_at :]
        sums = zeros((self.group_count, self.shares, self.rows), dtype)
        of_units = rows[:, : self.rest_at].reshape(count, width, -1).sum(2, dtype=np.float64)
        sums[:, 0, : self.groups.most * width] = self._of_slots(of_units)
        sets = list({id(one): one for one in labels}.values())
        labels_of = [[id(one) for one in sets].index(id(one)) for one in labels]
        dropping = [draws is not None for draws in dropout]
        unreached = np.zeros(count, np.int64) if unreached is None else unreached
        return Members(
            self.groups,
            first,
            rest,
            sums,
            np.stack(sets) if len(sets) > 1 else sets[0][None],
            np.array(labels_of),
            np.where(dropping, np.cumsum(dropping) - 1, -1),
            np.array([1.0 if draws is None else draws.scale for draws in dropout], dtype),
            np.array([0 if draws is None else draws.threshold for draws in dropout]),
            unreached,
            np.bincount(self.groups.order_of[self.groups.of], unreached == 0) > 0,
        )

    def _of_slots(self, numbers: np.ndarray) -> np.ndarray:
        """Return ``numbers`` [M, width, ...] of first layers as those of groups: [groups, most * width, ...]."""
        filled = np.zeros((self.group_count * self.groups.most, *numbers.shape[1:]), numbers.dtype)
        filled[self.slots] = numbers
        return filled.reshape(self.group_count, -1, *numbers.shape[2:])

    def rows_of(self, members: Members, which: int) -> np.ndarray:
        """Return the weights (``which`` is 0) or moments (1, 2) of ``members``: [M, parameters]."""
        width, rest = self.layers[0].outputs, members.rest[which]
        tiles = members.first[which].reshape(self.group_count, -1, self.patches, self.units, self.places_of_patch)
        filled = tiles.transpose(0, 1, 3, 2, 4).reshape(self.group_count, self.rows, -1)
        first = np.empty((self.group_count, self.groups.most * width, len(self.pixels)), rest.dtype)
        first[:, :, self.pixels] = filled[:, : self.groups.most * width, self.places]
        rows = np.empty((len(rest), self.layers[-1].end), rest.dtype)
        rows[:, : self.rest_at] = first.reshape(-1, self.rest_at)[self.slots]
        rows[:, self.rest_at :] = rest[:, : rows.shape[1] - self.rest_at]
        return rows

    def room(self, batch: int, dtype: np.dtype, trains: bool = True) -> tuple[Workspace, PixelLists]:
        """Return what one group's step with ``batch`` images needs, or its evaluation; the same at every call."""
        wanted = batch, dtype, trains
        if wanted not in self._rooms:
            # One at a time: nobody takes turns between two.
            self._rooms = {wanted: (self.workspace(batch, dtype, trains), self.pixel_lists(batch, dtype, trains))}
        return self._rooms[wanted]

    def abandon_room(self) -> None:
        """Leave the memory to threads that are still at work in it; the next call has its own."""
        self._rooms = {}

    def workspace(self, batch: int, dtype: np.dtype, trains: bool = True) -> Workspace:
        """Allocate what one group's step with ``batch`` images needs, or its evaluation."""
        shares = self.shares
        most_images = -(-batch // shares)
        blocks, rows = -(-most_images // BLOCK), self.kernel_layers.rows
        sizes = rows * blocks * BLOCK
        later, width = int(rows[1:-1].max(initial=0)), int(self.kernel_layers.widths.max())
        longest = self.patches * most_images if trains and self.listed else 0
        summed = self.patches * self.units * LANES if trains and not self.wide and not self.listed else 0
        live = np.zeros((shares, len(rows), width), np.int64)
        live[:, -1, : rows[-1]] = np.arange(rows[-1])
        counts = np.zeros((shares, len(rows)), np.int64)
        counts[:, -1] = rows[-1]
        return Workspace(
            zeros((shares, sizes.sum()), dtype),
            np.cumsum(sizes) - sizes,
            zeros((shares * sizes[0] if trains else 0,), dtype),
            zeros((shares * 2 * blocks * later * BLOCK if trains else 0,), dtype),
            zeros((self.groups.most * shares * self.rest,), dtype),
            zeros((shares, self.rows * TERMS), dtype),
            zeros((shares, self.rows), dtype),
            live,
            counts,
            np.zeros((shares, self.patches), np.int64),
            np.empty((shares, longest * LANES), np.uint8),
            np.empty((shares, longest), np.int32),
            zeros((shares, summed), dtype),
            np.zeros((shares, self.rows // self.units), np.bool_),
            zeros((shares, (LANES + 1) * LANES * _MOST_UNITS_AVX512), dtype),
            # The first word may be another image's, and what is read or written ends with whole vectors, or streams.
            np.zeros((shares, (most_images + LANES) // GROUPS + 2 * STREAMS if trains else 0), np.uint64),
            np.zeros(4, np.int64),
        )

    def pixel_lists(self, batch: int, dtype: np.dtype, trains: bool = True) -> PixelLists:
        """Allocate the lists of pixels of a batch of ``batch`` images, for a wide layer; empty for a narrow one."""
        blocks = -(-batch // (self.shares * BLOCK)) if self.wide else 0
        strips, begins = strips_of(self.patches), self.images.begins
        most = BLOCK * int(np.diff(begins[::strips]).max(initial=0)) if self.wide else 0
        return PixelLists(
            np.zeros((self.shares, blocks, BLOCK * strips + 1), np.int32),
            np.empty((self.shares, blocks, most), np.int32),
            np.empty((self.shares, blocks, most), dtype),
            np.zeros((self.shares, blocks, self.patches), np.int64),
            np.empty((self.shares, blocks, self.patches * BLOCK * 2 if trains else 0), np.uint8),
            zeros((self.shares, (BLOCK + 2) * self.units if self.wide else 0), dtype),
            zeros((self.shares, self.patches * self.units if self.wide else 0), dtype),
        )


def first_layers_of(width: int, inputs: int, members: Sequence[int]) -> FirstLayers:
    """Return how a first layer of ``width`` units with ``inputs`` is computed for so many ``members`` of each order."""
    if width >= _WIDE and inputs <= np.iinfo(np.uint16).max:
        work = {k: -(-width // (k * LANES)) * k * each for k, each in _VECTORS.items()}
        vectors = min(work, key=lambda k: work[k])
        tile = vectors * LANES
        return FirstLayers(True, vectors, tile, -(-width // tile) * tile, groups_of(members, 1))
    groups = groups_of(members, _ROWS_TOGETHER // width if width <= _FEW_UNITS else 1)
    most = _MOST_UNITS_AVX512 if width > _FEW_UNITS else _MOST_OF_GROUP_AVX512
    tiles = -(-width * groups.most // (most if has_wide_registers() else _MOST_UNITS))
    tile = -(-width * groups.most // tiles)
    return FirstLayers(False, tile, tile, tiles * tile, groups)


def kernel_layers_of(network: StackedNetwork, rows: int) -> Layers:
    """Return the layers of ``network`` as kernels want them; a group's first layers have so many ``rows``."""
    layers = network.layers
    widths = np.array([layer.outputs for layer in layers])
    masks, hidden = (
        np.array([-1 if one is None else one for one in places]) for places in (network.dropout_at, network.hidden_at)
    )
    return Layers(
        widths,
        np.concatenate([[rows], widths[1:]]),
        np.array([layer.offset for layer in layers]) - layers[0].bias_offset,
        np.array([layer.bias_offset for layer in layers]) - layers[0].bias_offset,
        np.array([layer.skip for layer in layers], dtype=np.int64),
        masks,
        hidden,
    )


def groups_of(members: Sequence[int], most: int) -> Groups:
    """Divide so many ``members`` of each order into groups of equal size, of at most ``most``."""
    groups = [np.array_split(np.arange(count), -(-count // most)) for count in members]
    sizes = [len(group) for of_order in groups for group in of_order]
    counts = [len(of_order) for of_order in groups]
    return Groups(
        max(sizes),
        np.cumsum([0, *sizes]),
        np.repeat(np.arange(len(sizes)), sizes),
        np.repeat(np.arange(len(counts)), counts),
        np.cumsum([0, *counts]),
    )


def layout_of(network: StackedNetwork, images: Images, shares: int, members: Sequence[int]) -> Layout:
    """Return the ``Layout`` of ``network`` for ``images``, with which the last one is kept."""
    kept: Layout | None = images.prepared.get(_LAYOUT)
    if kept is None or kept.made_for != (network, shares, members):
        kept = images.prepared[_LAYOUT] = Layout(network, images, shares, members)
    return kept
