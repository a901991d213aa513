"""One epoch of a population of fully connected networks, chunk by chunk."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from psa_tui.engine.backend import Epoch
from psa_tui.engine.backends.torch.adamw import AdamW
from psa_tui.engine.backends.torch.chunking import Chunk, chunks, runs
from psa_tui.engine.backends.torch.parameter_layout import ParameterLayout
from psa_tui.engine.backends.torch.passes import Backward, Call, DropoutMask, Forward
from psa_tui.engine.backends.torch.sparse_pixels import LowRankFactors, pixel_scale, sparse_pixels
from psa_tui.engine.images import Images
from psa_tui.networks.stacked import StackedNetwork


def train_epoch(
    weights: Tensor, network: StackedNetwork, images: Images, epoch: Epoch
) -> Generator[tuple[int, Tensor], None, Tensor]:
    """Train ``weights`` [M, parameters] for one epoch, see ``psa_tui.engine.backend.Backend``."""
    count = epoch.orders.shape[1]
    batch = min(epoch.hyperparameters.batch_size, count)
    total = weights.new_zeros(2, len(weights), batch)
    seen = begin = 0
    trained: list[int] = []
    for chunk in chunks(network.layers, epoch.order_of, batch, weights.element_size()):
        size = len(chunk.members)
        training = _ChunkEpoch(weights, network, images, epoch, chunk)
        for images_seen in training.steps(total[:, begin : begin + size]):
            yield (seen + size * images_seen) // len(weights), total[0]
        training.store()
        if epoch.correct is not None:
            epoch.correct[training.members] = -total[1, begin : begin + size].sum(1).long()
        seen += size * count
        begin += size
        trained += chunk.members
    losses = weights.new_empty(len(weights))
    losses[trained] = total[0].sum(1)
    return losses / count


class _Steps(NamedTuple):
    """Successive steps with batches of one size."""

    begin: int
    """How many images of each order come before."""
    visits: Tensor
    """The images seen: int64 [orders, steps, images]."""
    factors: LowRankFactors | None
    """Their sparse pixels; None where all pixels are dense."""


class _ChunkEpoch:
    """One chunk's epoch: its optimiser and the buffers of its steps."""

    def __init__(self, rows: Tensor, network: StackedNetwork, images: Images, epoch: Epoch, chunk: Chunk) -> None:
        self.dropped_units = network.dropped_units
        self.pixels = sparse_pixels(images)
        self.scale = pixel_scale(images, rows, self.pixels.pixel_order)
        self.batch_size = epoch.hyperparameters.batch_size
        self.chunk = chunk
        self.dropout = [epoch.dropout[member] for member in chunk.members]
        decay = [epoch.weight_decay[member] for member in chunk.members]
        steps = [epoch.steps[member] for member in chunk.members]
        self.weights, self.gradients, *moments = (
            ParameterLayout(network.layers, len(chunk.members), rows, self.pixels.pixel_order) for _ in range(4)
        )
        self.kept = [(self.weights, rows)]
        """What is kept after the epoch, and the rows [M, parameters] that it comes from and goes to."""
        if epoch.moments is not None:
            self.kept += [(moment, epoch.moments[:, which]) for which, moment in enumerate(moments)]
        self.members = torch.tensor(chunk.members, device=rows.device)
        for layout, numbers in self.kept:
            layout.load(numbers, self.members)
        rate = epoch.hyperparameters.learning_rate
        self.optimiser = AdamW(self.weights, self.gradients, moments, rate, decay, steps)
        self.orders = epoch.orders[[order for order, _ in chunk.orders]]
        order_of = [at for at, members in enumerate(chunk.members_per_order) for _ in range(members)]
        self.labels: list[tuple[int, Tensor]] = []
        """The sets of labels of the chunk's members: a row of ``orders``, and the labels of all images."""
        labels_of = []
        for order, member in zip(order_of, chunk.members, strict=True):
            labels = epoch.labels[member]
            mine = order, images.labels if labels is None else labels
            known = [at for at, (row, other) in enumerate(self.labels) if row == order and other is mine[1]]
            labels_of.append(known[0] if known else len(self.labels))
            self.labels += [] if known else [mine]
        self.labels_of = torch.tensor(labels_of, device=epoch.orders.device)
        """The set of each member."""

    def store(self) -> None:
        """Write what is kept to where it came from."""
        for layout, numbers in self.kept:
            layout.store(numbers, self.members)

    def steps(self, total: Tensor) -> Generator[int, None, None]:
        """Take every step; yield how many images were seen.

        To ``total`` [2, members, batch] are added the losses, and from its second half are taken correct answers.
        """
        count, size = self.orders.shape[1], self.batch_size
        whole = count - count % size
        parts = [
            self._steps(begin, end, batch)
            for begin, end, batch in ((0, whole, size), (whole, count, count - whole))
            if begin < end
        ]
        for part in parts:
            yield from self._take(part, total)

    def _steps(self, begin: int, end: int, batch: int) -> _Steps:
        """Return the steps of ``batch`` images that see those from ``begin`` to ``end`` of the orders."""
        visits = self.orders[:, begin:end].view(len(self.orders), -1, batch)
        # Factors have a rank and sizes that have to be read from the device, between no two steps.
        dtype = self.weights.flat.dtype
        factors = self.pixels.factors(visits, self.scale, dtype) if self.pixels.sparse_count else None
        return _Steps(begin, visits, factors)

    def _take(self, part: _Steps, total: Tensor) -> Generator[int, None, None]:
        """Take the steps of ``part``."""
        orders, steps, batch = part.visits.shape
        dense = self.pixels.dense
        masks, draw_masks = self._dropout(batch)
        rank = 0 if part.factors is None else part.factors.rank
        inputs = total.new_empty(orders, batch, dense.shape[1])
        flat_inputs = inputs.flatten(0, 1)
        pixels = dense.new_empty(flat_inputs.shape)
        forward = Forward(self.weights, self.chunk.members_per_order, inputs, self.scale.scale, masks, rank)
        backward = Backward(forward, self.weights, self.gradients, masks)
        add_losses = partial(total[:, :, :batch].sub_, backward.found)
        calls: list[Call] = [*draw_masks, *forward.calls, *backward.calls, *self.optimiser.calls, add_losses]
        visits = part.visits.transpose(0, 1).flatten(1)
        labels = torch.stack([every[part.visits[row]] for row, every in self.labels], dim=1)
        if part.factors is not None:
            # What centring makes of black is the same in all images: the first factor.
            self.scale.put_black(forward.factors[:, 0, :batch], forward.factors[:, 0, batch:])
        entries, flat_factors = forward.factors[:, 1:], forward.factors.view(-1)
        first = part.begin // self.batch_size + 1
        numbers = self.optimiser.step_numbers(first, steps)
        for step in range(steps):
            self.optimiser.set_step(numbers[step])
            torch.index_select(dense, 0, visits[step], out=pixels)
            self.scale.put(pixels, flat_inputs)
            if part.factors is not None:
                entries.zero_()
                flat_factors.scatter_(0, part.factors.index[step], part.factors.value[step])
            torch.index_select(labels[step], 0, self.labels_of, out=backward.labels)
            for call in calls:
                call()
            yield part.begin + (step + 1) * batch

    def _dropout(self, batch: int) -> tuple[list[DropoutMask], list[Call]]:
        """Return the masks of the members that drop, and the calls that draw one step's, of ``batch`` images."""
        dropping = [at for at, draws in enumerate(self.dropout) if draws is not None]
        all_draws = [draws for draws in self.dropout if draws is not None]
        like = self.weights.flat
        drawn = torch.empty(len(dropping), self.dropped_units, batch, dtype=like.dtype)
        calls: list[Call] = [
            partial(draws.fill_dropout_mask, mask.numpy()) for draws, mask in zip(all_draws, drawn, strict=True)
        ]
        on_device = drawn
        if dropping and like.device.type != "cpu":
            on_device = torch.empty_like(drawn, device=like.device)
            calls.append(partial(on_device.copy_, drawn))
        masks = []
        begin = 0
        for members in runs(dropping):
            end = begin + len(range(members.start, members.stop, members.step))
            masks.append(DropoutMask(members, on_device[begin:end], all_draws[begin].scale))
            begin = end
        return masks, calls
