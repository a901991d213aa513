"""The hot loop: one epoch of AdamW over a population, and its evaluation.

This module is the whole interface between the engine and the arithmetic: ``train_epoch`` and
``count_correct``. Members never influence one another: each trains on its own mean loss. They are trained
in chunks that fit the caches, one chunk after the other.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from functools import cached_property, partial

import torch
from torch import Tensor

from psa_tui.engine.columns import Columns, divide_columns
from psa_tui.engine.model import Linear
from psa_tui.engine.network import Backward, Call, Forward, Mask, Scaling
from psa_tui.engine.packed import Packed
from psa_tui.engine.plan import Chunk, chunks, runs
from psa_tui.engine.randomness import DropoutBits

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

    @cached_property
    def columns(self) -> Columns:
        """The pixels as training wants them; found once."""
        return divide_columns(self.pixels)

    @property
    def scaling(self) -> Scaling:
        """The scaling to [0, 1] and the standardisation in one; it rides in the first layer's product and bias."""
        return Scaling(255 * self.mean, 1 / (255 * self.std))


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


def train_epoch(
    flat: Tensor, layers: tuple[Linear, ...], images: Images, epoch: Epoch
) -> Generator[tuple[int, Tensor], None, Tensor]:
    """Train ``flat`` [M, parameters] for one epoch with a fresh AdamW (Loshchilov & Hutter 2019).

    A member's row is overwritten when its epoch is complete.

    Yields:
        After every step, the number of images a member has seen so far (the mean over the members), and
        the losses so far [M, batch]: of members in no particular order, summed by place in the batch.

    Returns:
        Each member's mean training loss over the epoch [M].
    """
    count = epoch.orders.shape[1]
    total = flat.new_zeros(len(flat), min(epoch.batch_size, count))
    seen = begin = 0
    placed: list[int] = []
    for chunk in chunks(layers, epoch.order_of, min(epoch.batch_size, count), flat.element_size()):
        size = len(chunk.members)
        training = _Training(flat, layers, images, epoch, chunk)
        for images_seen in training.steps(total[begin : begin + size]):
            yield (seen + size * images_seen) // len(flat), total
        training.finish(flat)
        seen += size * count
        begin += size
        placed += chunk.members
    losses = flat.new_empty(len(flat))
    losses[placed] = total.sum(1)
    return losses / count


class _Training:
    """One chunk's epoch: its weights, its optimiser and the buffers of its steps."""

    def __init__(self, flat: Tensor, layers: tuple[Linear, ...], images: Images, epoch: Epoch, chunk: Chunk) -> None:
        self.images = images
        self.epoch = epoch
        self.chunk = chunk
        self.members = torch.tensor(chunk.members, device=flat.device)
        self.weights, self.gradients, first, second = (
            Packed(layers, len(chunk.members), flat, images.columns.order) for _ in range(4)
        )
        self.weights.load(flat, self.members)
        self.step: list[Tensor] = []
        """The number of the step that is being taken, as the optimiser wants it."""
        self.update = self._adamw(first, second)
        self.orders = [epoch.orders[order] for order, _ in chunk.orders]
        self.sharing = [members for _, members in chunk.orders]
        labels = torch.stack([images.labels[order] for order in self.orders])
        self.labels = labels.repeat_interleave(torch.tensor(self.sharing, device=flat.device), 0).unsqueeze(1)

    def steps(self, total: Tensor) -> Generator[int, None, None]:
        """Take every step, adding the losses to ``total`` [members, batch]; yield how many images were seen."""
        count, size = self.epoch.orders.shape[1], self.epoch.batch_size
        whole = count - count % size
        parts = [(size, range(0, whole, size)), (count - whole, range(whole, count, size))]
        parts = [(batch, starts) for batch, starts in parts if starts]
        # Factors first: their rank is a number that has to be read from the device, between no two steps.
        factors = [self._factors(batch, starts) for batch, starts in parts]
        for (batch, starts), rare in zip(parts, factors, strict=True):
            yield from self._steps_of(batch, starts, rare, total)

    def finish(self, flat: Tensor) -> None:
        """Write the trained weights into their rows of ``flat`` [M, parameters]."""
        self.weights.store(flat, self.members)

    def _factors(self, batch: int, starts: range) -> list[Tensor]:
        """For each order, the rare columns of every step of ``batch`` images; nothing where no column is rare."""
        columns, dtype = self.images.columns, self.weights.flat.dtype
        return [columns.factors(order, starts, batch, dtype) for order in self.orders if columns.rare]

    def _steps_of(self, batch: int, starts: range, factors: list[Tensor], total: Tensor) -> Generator[int, None, None]:
        """Take a step of ``batch`` images from each of ``starts`` in the order."""
        masks, drawings = self._dropout(batch)
        columns = self.images.columns
        rank = max((steps.shape[1] for steps in factors), default=0)
        inputs = total.new_empty(len(self.orders) * batch, columns.common.shape[1])
        pixels = columns.common.new_empty(inputs.shape)
        places = inputs.view(len(self.orders), batch, -1)
        forward = Forward(self.weights, self.sharing, places, self.images.scaling, masks, rank, columns.rare)
        backward = Backward(forward, self.weights, self.gradients, masks)
        calls: list[Call] = [
            *drawings,
            *forward.calls,
            *backward.calls,
            *self.update,
            partial(total[:, :batch].sub_, backward.picked.squeeze(1)),
        ]
        end = starts.start + len(starts) * batch
        visits = torch.stack([order[starts.start : end] for order in self.orders])
        visits = visits.view(len(visits), len(starts), batch).transpose(0, 1).reshape(len(starts), -1)
        labels = torch.split(self.labels[:, :, starts.start : end], batch, 2)
        # An order of lower rank leaves the last rows zero.
        rare = [(steps, target[: steps.shape[1]]) for steps, target in zip(factors, forward.factors, strict=False)]
        first = starts.start // self.epoch.batch_size + 1
        numbers = torch.arange(first, first + len(starts), dtype=torch.float32, device=total.device).unbind()
        for step, start in enumerate(starts):
            self.step[:] = [numbers[step]]
            torch.index_select(columns.common, 0, visits[step], out=pixels)
            inputs.copy_(pixels)
            for steps, target in rare:
                target.copy_(steps[step])
            backward.labels.copy_(labels[step])
            for call in calls:
                call()
            yield start + batch

    def _dropout(self, batch: int) -> tuple[list[Mask], list[Call]]:
        """The masks of the members that drop, and the calls that draw one step's."""
        dropping = [at for at, member in enumerate(self.chunk.members) if self.epoch.dropout[member] is not None]
        all_bits = [bits for member in self.chunk.members if (bits := self.epoch.dropout[member]) is not None]
        units = sum(layer.outputs for layer in self.weights.layers[:-1])
        flat = self.weights.flat
        drawn = torch.empty(len(dropping), units, batch, dtype=flat.dtype)
        calls: list[Call] = [partial(bits.fill, rows.numpy()) for bits, rows in zip(all_bits, drawn, strict=True)]
        values = drawn
        if dropping and flat.device.type != "cpu":
            values = torch.empty_like(drawn, device=flat.device)
            calls.append(partial(values.copy_, drawn))
        masks = []
        begin = 0
        for members in runs(dropping):
            end = begin + len(range(members.start, members.stop, members.step))
            masks.append(Mask(members, values[begin:end], all_bits[begin].scale))
            begin = end
        return masks, calls

    def _adamw(self, first: Packed, second: Packed) -> list[Call]:
        """The calls of one step: the decay of the members that have one, then the fused update of all."""
        weights, rate = self.weights, self.epoch.learning_rate
        calls: list[Call] = []
        decays = [self.epoch.weight_decay[member] for member in self.chunk.members]
        for decay in sorted(set(decays) - {0.0}):
            views = [weights.flat]
            if len(set(decays)) > 1:
                members = list(runs([at for at, found in enumerate(decays) if found == decay]))
                views = [view[:, some] for view in weights.stacked() for some in members]
            calls += [partial(view.mul_, 1 - rate * decay) for view in views]
        calls.append(
            partial(
                torch._fused_adamw_,
                [weights.flat],
                [self.gradients.flat],
                [first.flat],
                [second.flat],
                [],
                self.step,
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


def count_correct(flat: Tensor, layers: tuple[Linear, ...], images: Images) -> Tensor:
    """How many images each member of ``flat`` [M, parameters] classifies correctly: int64 [M].

    A tie between classes counts as the first of them, as ``torch.argmax`` has it.
    """
    correct = torch.zeros(len(flat), dtype=torch.int64, device=flat.device)
    batch = min(_EVALUATION_BATCH, len(images))
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
                    Forward(weights, [len(some)], inputs, images.scaling, keep=False)
                    for weights, some in zip(packed, members, strict=True)
                ]
            inputs[0].copy_(pixels)
            for forward, count in zip(forwards, counts, strict=True):
                forward.run()
                # Unlike argmax, max is quick along a dimension that is not the last; it too takes the first maximum.
                count += (forward.logits.max(1).indices == labels).sum(1)
    return correct
