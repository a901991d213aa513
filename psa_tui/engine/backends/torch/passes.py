"""Forward and backward passes of several networks at once, written by hand into buffers made beforehand.

Activations are feature-major, [members, width, batch]: a layer of every member is one batched product whose
long side is the batch, however narrow the layer. A pass is a list of calls, each bound to its buffers when
the list is made; running it is a loop over them, so a step costs little more than its arithmetic.

No tensor here requires a gradient, so autograd records nothing. The gradients are those of the textbook
(Rumelhart, Hinton & Williams 1986); that of softmax and cross-entropy together is p - onehot.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, groupby, pairwise
from math import log, log2

import torch
from torch import Tensor

from psa_tui.engine.backends.torch.buffers import (
    CORE_CACHE_BYTES,
    LayerRun,
    alternating_activations,
    alternating_buffers,
    joined,
    layer_views,
    runs_of_one_shape,
    separate_activations,
    separate_buffers,
)
from psa_tui.engine.backends.torch.parameter_layout import ParameterLayout
from psa_tui.networks.stacked import mask_places

Call = Callable[[], object]


@dataclass(frozen=True, slots=True)
class DropoutMask:
    """Dropout of some members of a chunk."""

    members: slice
    """Their positions in the chunk."""
    mask: Tensor
    """[dropped members, dropped units, batch]: 0 or ``scale``."""
    scale: float


@dataclass(frozen=True, slots=True)
class LowRankInput:
    """The sparse pixels that successive orders' members see: ``left``, transposed, times ``right``."""

    rows: slice
    """Of the first layer, all members' rows one after the other."""
    left: Tensor
    """[orders, rank, batch]."""
    right: Tensor
    """[orders, rank, sparse]."""
    product: Tensor
    """A buffer: [orders, rows of an order, rank]."""


class Forward:
    """The forward pass over one batch of images: ``inputs`` to ``logits``."""

    def __init__(
        self,
        weights: ParameterLayout,
        members_per_order: Sequence[int],
        inputs: Tensor,
        scale: float,
        masks: Sequence[DropoutMask] = (),
        rank: int = 0,
        keep_activations: bool = True,
        sums: Tensor | None = None,
        hidden_at: Sequence[int | None] = (),
    ) -> None:
        """Make the buffers and the calls.

        Args:
            weights: those of all members.
            members_per_order: how many successive members see the same images, order by order.
            inputs: where each order's members find their centred dense pixels: [orders, batch, dense].
            scale: what pixels are multiplied with.
            masks: the dropout masks.
            rank: of the factors that each order's sparse pixels come as (see ``sparse_pixels``).
            keep_activations: without, a layer's activations overwrite those of the last but one, which no backward
                pass can use.
            sums: where each run leaves the sum of every hidden unit's activations: [members, hidden units].
            hidden_at: the first hidden unit of each layer whose activations are summed.
        """
        like = weights.flat
        members, width, pixels = weights.weights[0].shape
        batch, dense = inputs.shape[1:]
        self.inputs = inputs
        self.scale = scale
        self.factors = like.new_zeros(len(members_per_order), rank, batch + pixels - dense)
        """The sparse pixels of each order, as factors: [orders, rank, batch + sparse]."""
        self.activations = (separate_activations if keep_activations else alternating_activations)(weights, batch)
        """The output of each layer, after ReLU and dropout where it is hidden: [members, outputs, batch]."""
        self.rows = _row_slices(members_per_order, width)
        """Where the first layer of each order's members lies among all its rows."""
        self.calls: list[Call] = []
        first = self.activations[0].view(members * width, batch)
        bias, weight = weights.biases[0].view(-1, 1), weights.weights[0].view(-1, pixels)
        for rows, seen in zip(self.rows, inputs, strict=True):
            left = weight[rows, :dense]
            self.calls.append(partial(torch.addmm, bias[rows], left, seen.t(), alpha=scale, out=first[rows]))
        self.low_rank = list(_low_rank_inputs(self.factors, members_per_order, width, batch)) if rank else []
        for part in self.low_rank:
            orders = len(part.product)
            sparse = _by_order(weight[part.rows, dense:], orders)
            self.calls.append(partial(torch.bmm, sparse, part.right.mT, out=part.product))
            target = _by_order(first[part.rows], orders)
            self.calls.append(partial(target.baddbmm_, part.product, part.left, alpha=scale))
        mask_at, summed = mask_places(weights.layers), set[int]()
        for index, layer in enumerate(weights.layers):
            output, bias = self.activations[index], weights.biases[index]
            if layer.skip:
                # Where activations are not kept, they lie in this very buffer.
                self.calls.append(partial(torch.add, self.activations[index - 2], bias, out=output))
                bias = output
            if index:
                self.calls.append(_affine(bias, weights.weights[index], self.activations[index - 1], output))
            if index < len(weights.layers) - 1:
                self.calls.append(output.relu_)
                if sums is not None and (unit := hidden_at[index]) is not None:
                    target = sums[:, unit : unit + layer.outputs]
                    self.calls.append(partial(_sum_images, output, target, again=unit in summed))
                    summed.add(unit)
                if (unit := mask_at[index]) is not None:
                    units = slice(unit, unit + layer.outputs)
                    self.calls += [partial(output[some.members].mul_, some.mask[:, units]) for some in masks]

    @property
    def logits(self) -> Tensor:
        """[members, classes, batch]."""
        return self.activations[-1]

    def run(self) -> None:
        """Compute ``logits`` from ``inputs``."""
        for call in self.calls:
            call()


class Backward:
    """The loss and its gradients for what a ``Forward`` has just computed."""

    def __init__(
        self,
        forward: Forward,
        weights: ParameterLayout,
        gradients: ParameterLayout,
        masks: Sequence[DropoutMask] = (),
    ) -> None:
        """Make the buffers and the calls; ``gradients`` are overwritten by each run."""
        logits = forward.logits
        members, _, batch = logits.shape
        self.labels = torch.empty(members, batch, dtype=torch.int64, device=logits.device)
        """The correct class of every image of every member: [members, batch]."""
        self.found = logits.new_empty(2, members, batch)
        """The log-probability of every label, the negative of its loss, and whether no logit exceeds the label's (0
        or 1): [2, members, batch]."""
        layer_runs = [LayerRun(0, 1), *runs_of_one_shape(weights, batch)]
        self.calls: list[Call] = []
        all_deltas = None
        layers, mask_at = weights.layers, mask_places(weights.layers)
        residual = any(layer.skip for layer in layers)
        # A skip's deltas are needed until those of the last but one are computed.
        if residual or len(weights.all_biases) * batch * logits.element_size() <= CORE_CACHE_BYTES:
            all_deltas, buffers = separate_buffers(weights, batch, layer_runs)
        else:
            buffers = alternating_buffers(weights, batch, layer_runs)
        deltas = [
            delta
            for buffer, (begin, end) in zip(buffers, layer_runs, strict=True)
            for delta in layer_views(buffer, weights.biases[begin:end])
        ]
        ends = list(accumulate((bias.numel() for bias in weights.biases), initial=0))
        self._add_loss(logits, deltas[-1])
        for buffer, (begin, end) in zip(reversed(buffers), reversed(layer_runs), strict=True):
            for index in reversed(range(begin, min(end, len(deltas) - 1))):
                below, hidden = deltas[index], forward.activations[index]
                back, joins = weights.weights[index + 1].transpose(1, 2), index + 2 < len(layers)
                self.calls += [
                    _affine(deltas[index + 2], back, deltas[index + 1], below)
                    if joins and layers[index + 2].skip
                    else _product(back, deltas[index + 1], below),
                    # What dropout has zeroed, ReLU's gradient zeroes too; only dropout's scale remains.
                    partial(torch.ops.aten.threshold_backward.grad_input, below, hidden, 0, grad_input=below),
                ]
                if mask_at[index] is not None:
                    self.calls += [partial(below[some.members].mul_, some.scale) for some in masks]
            if begin:
                hidden = joined(forward.activations[begin - 1 : end - 1])
                target = joined(gradients.weights[begin:end])
                self.calls.append(partial(torch.bmm, joined(deltas[begin:end]), hidden.transpose(1, 2), out=target))
            if all_deltas is None:
                self.calls.append(partial(torch.sum, buffer, 1, out=gradients.all_biases[ends[begin] : ends[end]]))
        if all_deltas is not None:
            self.calls.append(partial(torch.sum, all_deltas, 1, out=gradients.all_biases))
        self._add_first_layer(forward, deltas[0].flatten(0, 1), gradients.weights[0].flatten(0, 1))

    def _add_loss(self, logits: Tensor, delta: Tensor) -> None:
        """Compute what is ``found``, and the gradient of each member's loss into ``delta``."""
        log_probs = torch.empty_like(logits)
        labels, batch = self.labels.unsqueeze(1), logits.shape[2]
        target_log_probs, correct = self.found.unsqueeze(2)
        largest = torch.empty_like(target_log_probs)
        self.calls += [
            partial(torch.log_softmax, logits, 1, out=log_probs),
            partial(torch.gather, log_probs, 1, labels, out=target_log_probs),
            # In the order of the logits, and all not a number where one of these is none: then nothing equals another.
            partial(torch.amax, log_probs, 1, keepdim=True, out=largest),
            partial(torch.eq, target_log_probs, largest, out=correct),
            # p / batch as a power of two: exp2 is several times as fast as exp.
            partial(torch.add, logits.new_tensor(-log2(batch)), log_probs, alpha=1 / log(2), out=delta),
            delta.exp2_,
            partial(delta.scatter_add_, 1, labels, torch.full_like(target_log_probs, -1 / batch)),
        ]

    def _add_first_layer(self, forward: Forward, delta: Tensor, gradient: Tensor) -> None:
        """Compute the first layer's ``gradient`` [rows, inputs] from ``delta`` [rows, batch]."""
        dense, scale = forward.inputs.shape[2], forward.scale
        for rows, inputs in zip(forward.rows, forward.inputs, strict=True):
            self.calls.append(partial(gradient[rows, :dense].addmm_, delta[rows], inputs, beta=0, alpha=scale))
        for part in forward.low_rank:
            orders = len(part.product)
            self.calls.append(partial(torch.bmm, _by_order(delta[part.rows], orders), part.left.mT, out=part.product))
            target = _by_order(gradient[part.rows, dense:], orders)
            self.calls.append(partial(target.baddbmm_, part.product, part.right, beta=0, alpha=scale))

    def run(self) -> None:
        """Compute what is ``found`` and the gradients."""
        for call in self.calls:
            call()


def _low_rank_inputs(
    factors: Tensor, members_per_order: Sequence[int], width: int, batch: int
) -> Iterator[LowRankInput]:
    """Go through successive orders of as many members, with their part of ``factors`` [orders, rank, ...]."""
    begin = row = 0
    for members, group in groupby(members_per_order):
        end = begin + len(list(group))
        rows = slice(row, row + (end - begin) * members * width)
        some = factors[begin:end]
        product = factors.new_empty(end - begin, members * width, factors.shape[1])
        yield LowRankInput(rows, some[:, :, :batch], some[:, :, batch:], product)
        begin, row = end, rows.stop


def _by_order(rows: Tensor, orders: int) -> Tensor:
    """View ``rows`` [orders * n, m] as [orders, n, m]."""
    return rows.view(orders, len(rows) // orders, rows.shape[1])


def _row_slices(members_per_order: Sequence[int], width: int) -> list[slice]:
    ends = accumulate((members * width for members in members_per_order), initial=0)
    return [slice(begin, end) for begin, end in pairwise(ends)]


def _sum_images(activations: Tensor, target: Tensor, *, again: bool) -> None:
    """Sum ``activations`` [M, units, images] over the images, into ``target`` or ``again`` on top of what it has."""
    if again:
        target.add_(activations.sum(2))
    else:
        torch.sum(activations, 2, out=target)


def _affine(bias: Tensor, weight: Tensor, below: Tensor, out: Tensor) -> Call:
    """Return the call: ``out`` [M, o, B] = ``weight`` [M, o, i] ``below`` [M, i, B] + ``bias`` [M, o, 1 or B]."""
    if weight.shape[1:] == (1, 1):
        # A batch of 1x1 products is far slower than the multiplication it is.
        return partial(torch.addcmul, bias, weight, below, out=out)
    return partial(torch.baddbmm, bias, weight, below, out=out)


def _product(weight: Tensor, above: Tensor, out: Tensor) -> Call:
    """Return the call: ``out`` [M, i, B] = ``weight`` [M, i, o] ``above`` [M, o, B]."""
    if weight.shape[1:] == (1, 1):
        return partial(torch.mul, weight, above, out=out)
    return partial(torch.bmm, weight, above, out=out)
