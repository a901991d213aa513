"""The hot loop: one epoch of AdamW over a population, and its evaluation.

This module is the whole interface between the engine and the arithmetic: ``train_epoch`` and
``count_correct``. Members never influence one another: each trains on its own mean loss. They are trained
in chunks that fit the caches, one chunk after the other.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import NamedTuple

import torch
from torch import Tensor

from psa_tui.engine.backends.torch.chunking import Chunk, chunks, runs
from psa_tui.engine.backends.torch.parallel import Share, Whole, share_of
from psa_tui.engine.backends.torch.parameter_layout import Packed
from psa_tui.engine.backends.torch.passes import Backward, Call, Forward, Mask
from psa_tui.engine.backends.torch.process_group import ProcessGroup
from psa_tui.engine.backends.torch.sparse_pixels import Columns, Factors, divide_columns
from psa_tui.engine.population import Linear
from psa_tui.method.randomness import DropoutBits

BETAS = (0.9, 0.999)
EPSILON = 1e-8
_EVALUATION_BATCH = 1000
_EVALUATION_BYTES = 1 << 20
"""Members whose weights fit in this are evaluated together."""


@dataclass(frozen=True)
class Images:
    """One split on the training device: ``pixels`` uint8 [N, 784] and ``labels`` int64 [N].

    A network sees pixels scaled to [0, 1], then standardised with ``mean`` and ``std``.
    """

    pixels: Tensor
    labels: Tensor
    mean: float
    std: float

    def __len__(self) -> int:
        """The number of images."""
        return len(self.labels)

    def __getitem__(self, some: slice) -> Images:
        """``some`` of the images; no copies."""
        return Images(self.pixels[some], self.labels[some], self.mean, self.std)

    @cached_property
    def columns(self) -> Columns:
        """The pixels as training wants them; found once."""
        return divide_columns(self.pixels)

    @property
    def centre(self) -> float:
        """A network sees ``(pixel - centre) * scale``; the scale rides in the first layer's product."""
        return 255 * self.mean

    @property
    def scale(self) -> float:
        """The scaling to [0, 1] and the standardisation in one."""
        return 1 / (255 * self.std)


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one epoch trains with; the per-member entries follow the rows of the population."""

    orders: Tensor
    """The orders in which images are visited: int64 [orders, N]."""
    order_of: tuple[int, ...]
    """The row of ``orders`` that each member follows; members of one trial seed share theirs."""
    learning_rate: float
    batch_size: int
    weight_decay: tuple[float, ...]
    """Decoupled weight decay of each member, 0 where its mode has none."""
    dropout: tuple[DropoutBits | None, ...]
    """Each member's dropout masks, None where its mode has none."""

    def of(self, members: Sequence[int]) -> Epoch:
        """The epoch of some members."""
        return Epoch(
            self.orders,
            tuple(self.order_of[member] for member in members),
            self.learning_rate,
            self.batch_size,
            tuple(self.weight_decay[member] for member in members),
            tuple(self.dropout[member] for member in members),
        )


def effective_decay(learning_rate: float, weight_decay: float, dtype: torch.dtype) -> float:
    """``weight_decay``, or 0 where ``1 - learning_rate * weight_decay`` is 1 in ``dtype``, as for 1e-4 and 1e-4."""
    factor = torch.tensor(1 - learning_rate * weight_decay, dtype=dtype)
    return 0.0 if factor == 1 else weight_decay


def train_epoch(
    flat: Tensor, layers: tuple[Linear, ...], images: Images, epoch: Epoch, group: ProcessGroup | None = None
) -> Generator[tuple[int, Tensor], None, Tensor]:
    """Train ``flat`` [M, parameters] for one epoch with a fresh AdamW (Loshchilov & Hutter 2019).

    A member's row is overwritten when its epoch is complete. The processes of a ``group`` train one member
    together: each takes this epoch, and ends it with the same weights.

    Yields:
        After every step, the number of images a member has seen so far (the mean over the members), and
        the losses so far [M, some]: of members in no particular order, summed by place in the batch.

    Returns:
        Each member's mean training loss over the epoch [M].
    """
    count = epoch.orders.shape[1]
    batch = min(epoch.batch_size, count)
    if group is not None:
        share = share_of(group, flat, layers, images.columns.order)
        group.losses[group.rank].zero_()
        for images_seen in _Training(share, layers, images, epoch, Chunk((0,), ((0, 1),))).steps(share.losses(batch)):
            yield images_seen, group.losses.view(1, -1)
        share.finish(flat)
        return group.losses.view(1, -1).sum(1) / count
    total = flat.new_zeros(len(flat), batch)
    seen = begin = 0
    placed: list[int] = []
    for chunk in chunks(layers, epoch.order_of, batch, flat.element_size()):
        size = len(chunk.members)
        whole = Whole(flat, layers, chunk.members, images.columns.order)
        for images_seen in _Training(whole, layers, images, epoch, chunk).steps(total[begin : begin + size]):
            yield (seen + size * images_seen) // len(flat), total
        whole.finish(flat)
        seen += size * count
        begin += size
        placed += chunk.members
    losses = flat.new_empty(len(flat))
    losses[placed] = total.sum(1)
    return losses / count


class _Part(NamedTuple):
    """Successive steps with batches of one size."""

    begin: int
    """How many images of each order come before."""
    batch: int
    visits: Tensor
    """The images it sees: int64 [orders, steps, images]."""
    factors: Factors | None
    """The columns that are not common; None where all are."""


class _Training:
    """One chunk's epoch: its optimiser and the buffers of its steps."""

    def __init__(self, share: Share, layers: tuple[Linear, ...], images: Images, epoch: Epoch, chunk: Chunk) -> None:
        self.share = share
        self.hidden_units = sum(layer.outputs for layer in layers[:-1])
        self.images = images
        self.epoch = epoch
        self.chunk = chunk
        self.number: list[Tensor] = []
        """The number of the step that is being taken, as the optimiser wants it."""
        self.update = self._adamw()
        self.orders = epoch.orders[[order for order, _ in chunk.orders]]
        self.sharing = [members for _, members in chunk.orders]
        self.order_of = [at for at, members in enumerate(self.sharing) for _ in range(members)]
        """The row of ``orders`` of each member."""

    def steps(self, total: Tensor) -> Generator[int, None, None]:
        """Take every step, adding the losses to ``total`` [members, batch]; yield how many images were seen."""
        count, size = self.epoch.orders.shape[1], self.epoch.batch_size
        whole = count - count % size
        parts = [
            self._part(begin, end, batch)
            for begin, end, batch in ((0, whole, size), (whole, count, count - whole))
            if begin < end
        ]
        for part in parts:
            yield from self._steps_of(part, total)

    def _part(self, begin: int, end: int, batch: int) -> _Part:
        """The steps of ``batch`` images that see those from ``begin`` to ``end`` of the orders."""
        visits = self.orders[:, begin:end].view(len(self.orders), -1, batch)[:, :, self.share.images(batch)]
        columns = self.images.columns
        # Factors have a rank and sizes that have to be read from the device, between no two steps.
        factors = columns.factors(visits, self.share.updated.dtype) if columns.others else None
        return _Part(begin, batch, visits, factors)

    def _steps_of(self, part: _Part, total: Tensor) -> Generator[int, None, None]:
        """Take the steps of ``part``."""
        orders, steps, batch = part.visits.shape
        columns = self.images.columns
        masks, drawings = self._dropout(part)
        rank = 0 if part.factors is None else part.factors.rank
        # A share may be empty: no size is left to be found.
        places = total.new_empty(orders, batch, columns.common.shape[1])
        inputs = places.flatten(0, 1)
        pixels = columns.common.new_empty(inputs.shape)
        share = self.share
        forward = Forward(share.weights, self.sharing, places, self.images.scale, masks, rank)
        backward = Backward(forward, share.weights, share.gradients, part.batch, masks)
        add_losses = partial(total[:, :batch].sub_, backward.picked.squeeze(1))
        turns: list[list[Call]] = [
            [*drawings, *share.step(forward, backward, self.update, turn), add_losses] for turn in range(2)
        ]
        visits = part.visits.transpose(0, 1).flatten(1)
        order_of = torch.tensor(self.order_of, device=total.device)
        labels = self.images.labels[part.visits].transpose(0, 1).contiguous()
        centre = self.images.centre
        if part.factors is not None:
            # What centring makes of black is the same in all images: the first factor.
            forward.factors[:, 0, :batch] = -centre
            forward.factors[:, 0, batch:] = 1
        entries, told = forward.factors[:, 1:], forward.factors.view(-1)
        first = part.begin // self.epoch.batch_size + 1
        numbers = torch.arange(first, first + steps, dtype=torch.float32, device=total.device).unbind()
        for step in range(steps):
            self.number[:] = [numbers[step]]
            torch.index_select(columns.common, 0, visits[step], out=pixels)
            inputs.copy_(pixels).sub_(centre)
            if part.factors is not None:
                entries.zero_()
                told.scatter_(0, part.factors.index[step], part.factors.value[step])
            torch.index_select(labels[step], 0, order_of, out=backward.labels)
            for call in turns[(first + step) % 2]:
                call()
            yield part.begin + (step + 1) * part.batch

    def _dropout(self, part: _Part) -> tuple[list[Mask], list[Call]]:
        """The masks of the members that drop, and the calls that draw one step's."""
        dropping = [at for at, member in enumerate(self.chunk.members) if self.epoch.dropout[member] is not None]
        all_bits = [bits for member in self.chunk.members if (bits := self.epoch.dropout[member]) is not None]
        like = self.share.updated
        drawn = torch.empty(len(dropping), self.hidden_units, part.batch, dtype=like.dtype)
        calls: list[Call] = [partial(bits.fill, rows.numpy()) for bits, rows in zip(all_bits, drawn, strict=True)]
        values = drawn
        if dropping and like.device.type != "cpu":
            values = torch.empty_like(drawn, device=like.device)
            calls.append(partial(values.copy_, drawn))
        values = values[:, self.share.units, self.share.images(part.batch)]
        masks = []
        begin = 0
        for members in runs(dropping):
            end = begin + len(range(members.start, members.stop, members.step))
            masks.append(Mask(members, values[begin:end], all_bits[begin].scale))
            begin = end
        return masks, calls

    def _adamw(self) -> list[Call]:
        """The calls of one step: the decay of the members that have one, then the fused update of all."""
        rate, weights = self.epoch.learning_rate, self.share.updated
        calls: list[Call] = []
        decays = [self.epoch.weight_decay[member] for member in self.chunk.members]
        for decay in sorted(set(decays) - {0.0}):
            views = [weights]
            if len(set(decays)) > 1:
                members = list(runs([at for at, found in enumerate(decays) if found == decay]))
                views = [view[:, some] for view in self.share.weights.stacked() for some in members]
            calls += [partial(view.mul_, 1 - rate * decay) for view in views]
        calls.append(
            partial(
                torch._fused_adamw_,
                [weights],
                [self.share.updating],
                [torch.zeros_like(weights)],
                [torch.zeros_like(weights)],
                [],
                self.number,
                lr=rate,
                beta1=BETAS[0],
                beta2=BETAS[1],
                weight_decay=0.0,
                eps=EPSILON,
                amsgrad=False,
                maximize=False,
            )
        )
        return calls


def count_correct(
    flat: Tensor, layers: tuple[Linear, ...], images: Images, group: ProcessGroup | None = None
) -> Tensor:
    """How many images each member of ``flat`` [M, parameters] classifies correctly: int64 [M].

    A tie between classes counts as the first of them, as ``torch.argmax`` has it. The processes of a ``group``
    count for one member together.
    """
    if group is not None:
        group.counts[group.rank] = count_correct(flat, layers, images[group.share(len(images))])[0]
        group.barrier()
        return group.counts.sum().unsqueeze(0)
    correct = torch.zeros(len(flat), dtype=torch.int64, device=flat.device)
    batch = max(1, min(_EVALUATION_BATCH, len(images)))
    divided = chunks(layers, range(len(flat)), batch, flat.element_size())
    together = max(1, _EVALUATION_BYTES // (len(divided[0].members) * layers[-1].end * flat.element_size()))
    for start in range(0, len(divided), together):
        # Chunks that are evaluated together see each batch of images converted once.
        members = [torch.tensor(chunk.members, device=flat.device) for chunk in divided[start : start + together]]
        packed = [Packed(layers, len(some), flat) for some in members]
        for weights, some in zip(packed, members, strict=True):
            weights.load(flat, some)
        # The members of these chunks are neighbours, in order.
        counts = [correct[chunk.members[0] : chunk.members[-1] + 1] for chunk in divided[start : start + together]]
        inputs = flat.new_empty(1, 0, images.pixels.shape[1])
        for begin in range(0, len(images), batch):
            pixels, labels = images.pixels[begin : begin + batch], images.labels[begin : begin + batch]
            if len(pixels) != inputs.shape[1]:
                inputs = flat.new_empty(1, *pixels.shape)
                forwards = [
                    Forward(weights, [len(some)], inputs, images.scale, keep=False)
                    for weights, some in zip(packed, members, strict=True)
                ]
            inputs[0].copy_(pixels).sub_(images.centre)
            for forward, count in zip(forwards, counts, strict=True):
                forward.run()
                # Unlike argmax, max is quick along a dimension that is not the last; it too takes the first maximum.
                count += (forward.logits.max(1).indices == labels).sum(1)
    return correct
