"""Forward and backward passes of several networks at once, written by hand into buffers made beforehand.

Activations are feature-major, [members, width, batch]: a layer of every member is one batched product whose
long side is the batch, however narrow the layer. A pass is a list of calls, each bound to its buffers when
the list is made; running it is a loop over them, so a step costs little more than its arithmetic.

No tensor here requires a gradient, so autograd records nothing. The gradients are those of the textbook
(Rumelhart, Hinton & Williams 1986); that of softmax and cross-entropy together is p - onehot.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import accumulate, groupby, pairwise
from math import log, log2
from typing import NamedTuple

import torch
from torch import Tensor

from psa_tui.engine.backends.torch.parameter_layout import Packed

Call = Callable[[], object]

_STACK_BYTES = 512 << 10
"""The gradients of several layers of one shape are one batch of products while their activations fit in this."""


class Forward:
    """The forward pass over one batch of images: ``inputs`` to ``logits``."""

    def __init__(
        self,
        weights: Packed,
        sharing: Sequence[int],
        inputs: Tensor,
        scale: float,
        masks: Sequence[Mask] = (),
        rank: int = 0,
        keep: bool = True,
    ) -> None:
        """Make the buffers and the calls.

        ``sharing`` counts the successive members that see the same images. ``inputs`` is where each set of
        them finds its centred pixels in the common columns: [sets, batch, common]. The other columns come as
        factors of ``rank``, one for each set (see ``columns``). ``scale`` is what pixels are multiplied with.
        ``masks`` are the dropout masks. Without ``keep`` a layer's activations overwrite those of the last but
        one, which no backward pass can use.
        """
        like = weights.flat
        members, width, pixels = weights.weights[0].shape
        batch, common = inputs.shape[1:]
        self.inputs = inputs
        self.scale = scale
        self.factors = like.new_zeros(len(sharing), rank, batch + pixels - common)
        """What each set sees in the other columns, as factors: [sets, rank, batch + others]."""
        self.activations = _all_rows(weights, batch) if keep else _alternate_rows(weights, batch)
        """The output of each layer, after ReLU and dropout where it is hidden: [members, outputs, batch]."""
        self.rows = _row_slices(sharing, width)
        """Where the first layer of each set of sharing members lies among all its rows."""
        self.calls: list[Call] = []
        first = self.activations[0].view(members * width, batch)
        bias, weight = weights.biases[0].view(-1, 1), weights.weights[0].view(-1, pixels)
        for rows, seen in zip(self.rows, inputs, strict=True):
            dense = weight[rows, :common]
            self.calls.append(partial(torch.addmm, bias[rows], dense, seen.t(), alpha=scale, out=first[rows]))
        self.thin = list(_thin_sets(self.factors, sharing, width, batch)) if rank else []
        """The same for successive sets of as many members: their rows, factors, and space for a product."""
        for part in self.thin:
            count = len(part.product)
            sparse = _sets(weight[part.rows, common:], count)
            self.calls.append(partial(torch.bmm, sparse, part.right.mT, out=part.product))
            self.calls.append(partial(_sets(first[part.rows], count).baddbmm_, part.product, part.left, alpha=scale))
        unit = 0
        for index, layer in enumerate(weights.layers):
            output = self.activations[index]
            if index:
                self.calls.append(
                    _affine(weights.biases[index], weights.weights[index], self.activations[index - 1], output)
                )
            if index < len(weights.layers) - 1:
                self.calls.append(output.relu_)
                units = slice(unit, unit + layer.outputs)
                self.calls += [partial(output[mask.members].mul_, mask.values[:, units]) for mask in masks]
                unit += layer.outputs

    @property
    def logits(self) -> Tensor:
        """[members, classes, batch]."""
        return self.activations[-1]

    def run(self) -> None:
        """Compute ``logits`` from ``inputs``."""
        for call in self.calls:
            call()


class Thin(NamedTuple):
    """The columns that come as factors, for successive sets of members: ``left``, transposed, times ``right``."""

    rows: slice
    left: Tensor
    """[sets, rank, batch]."""
    right: Tensor
    """[sets, rank, columns]."""
    product: Tensor
    """Space: [sets, rows of a set, rank]."""


class Mask:
    """Dropout of some members: ``values`` [dropped, hidden units, batch] hold 0 or ``scale``."""

    def __init__(self, members: slice, values: Tensor, scale: float) -> None:
        """``members`` are the positions, in the chunk, of the members that drop."""
        self.members = members
        self.values = values
        self.scale = scale


class Backward:
    """The loss and its gradients for what a ``Forward`` has just computed."""

    def __init__(
        self, forward: Forward, weights: Packed, gradients: Packed, whole_batch: int, masks: Sequence[Mask] = ()
    ) -> None:
        """Make the buffers and the calls; ``gradients`` are overwritten by each run.

        The loss is the sum over the images that are here, divided by ``whole_batch``: that of several processes
        together is their batch's mean.
        """
        logits = forward.logits
        members, _, batch = logits.shape
        self.labels = torch.empty(members, batch, dtype=torch.int64, device=logits.device)
        """The correct class of every image of every member: [members, batch]."""
        self.picked = logits.new_empty(members, 1, batch)
        """The log-likelihood of every correct class, the negative of its loss: [members, 1, batch]."""
        layer_runs = [(0, 1), *_stacks(weights, batch)]
        small = len(weights.all_biases) * batch * logits.element_size() <= _STACK_BYTES
        neurons, spaces = (_apart if small else _alternating)(weights, batch, layer_runs)
        deltas = [
            delta
            for space, (begin, end) in zip(spaces, layer_runs, strict=True)
            for delta in _views(space, weights.biases[begin:end])
        ]
        ends = list(accumulate((bias.numel() for bias in weights.biases), initial=0))
        self.calls = self._loss(logits, deltas[-1], whole_batch)
        for space, (begin, end) in zip(reversed(spaces), reversed(layer_runs), strict=True):
            for index in reversed(range(begin, min(end, len(deltas) - 1))):
                below, hidden = deltas[index], forward.activations[index]
                self.calls += [
                    _product(weights.weights[index + 1].transpose(1, 2), deltas[index + 1], below),
                    # What dropout has zeroed, ReLU's gradient zeroes too; only dropout's scale remains.
                    partial(torch.ops.aten.threshold_backward.grad_input, below, hidden, 0, grad_input=below),
                ]
                self.calls += [partial(below[mask.members].mul_, mask.scale) for mask in masks]
            if begin:
                hidden = _joined(forward.activations[begin - 1 : end - 1])
                target = _joined(gradients.weights[begin:end])
                self.calls.append(partial(torch.bmm, _joined(deltas[begin:end]), hidden.transpose(1, 2), out=target))
            if neurons is None:
                self.calls.append(partial(torch.sum, space, 1, out=gradients.all_biases[ends[begin] : ends[end]]))
        if neurons is not None:
            self.calls.append(partial(torch.sum, neurons, 1, out=gradients.all_biases))
        matrix, gradient = deltas[0].flatten(0, 1), gradients.weights[0].view(-1, weights.layers[0].inputs)
        common, scale = forward.inputs.shape[2], forward.scale
        for rows, inputs in zip(forward.rows, forward.inputs, strict=True):
            self.calls.append(partial(gradient[rows, :common].addmm_, matrix[rows], inputs, beta=0, alpha=scale))
        for part in forward.thin:
            count = len(part.product)
            self.calls.append(partial(torch.bmm, _sets(matrix[part.rows], count), part.left.mT, out=part.product))
            target = _sets(gradient[part.rows, common:], count)
            self.calls.append(partial(target.baddbmm_, part.product, part.right, beta=0, alpha=scale))

    def _loss(self, logits: Tensor, delta: Tensor, whole_batch: int) -> list[Call]:
        """The calls that compute ``picked``, and the gradient of each member's loss into ``delta``."""
        log_likelihoods = torch.empty_like(logits)
        labels = self.labels.unsqueeze(1)
        # p / batch as a power of two: exp2 is several times as fast as exp.
        return [
            partial(torch.log_softmax, logits, 1, out=log_likelihoods),
            partial(torch.gather, log_likelihoods, 1, labels, out=self.picked),
            partial(torch.add, logits.new_tensor(-log2(whole_batch)), log_likelihoods, alpha=1 / log(2), out=delta),
            delta.exp2_,
            partial(delta.scatter_add_, 1, labels, torch.full_like(self.picked, -1 / whole_batch)),
        ]

    def run(self) -> None:
        """Compute ``picked`` and the gradients."""
        for call in self.calls:
            call()


def _views(space: Tensor, biases: Sequence[Tensor]) -> list[Tensor]:
    """``space`` [neurons, batch] as one [members, outputs, batch] for each of ``biases`` [members, outputs, 1]."""
    parts = _split(space, [bias.numel() for bias in biases])
    return [part.view(*bias.shape[:2], part.shape[1]) for part, bias in zip(parts, biases, strict=True)]


def _all_rows(weights: Packed, batch: int) -> list[Tensor]:
    """Space for each layer's [members, outputs, batch]."""
    return _views(weights.flat.new_empty(len(weights.all_biases), batch), weights.biases)


def _alternate_rows(weights: Packed, batch: int) -> list[Tensor]:
    """The same, where only neighbouring layers have space of their own."""
    layers = [(index, index + 1) for index in range(len(weights.layers))]
    spaces = zip(_alternating(weights, batch, layers)[1], weights.biases, strict=True)
    return [_views(space, [bias])[0] for space, bias in spaces]


def _alternating(weights: Packed, batch: int, layer_runs: Sequence[tuple[int, int]]) -> tuple[None, Sequence[Tensor]]:
    """Space [members * neurons, batch] for each run [begin, end) of layers, in turn from two places.

    The rows are in the order of the biases in ``Packed.all_biases``. What is overwritten soon stays in a cache.
    """
    counts = _row_counts(weights, layer_runs)
    places = weights.flat.new_empty(2, max(counts), batch)
    return None, [places[at % 2, :count] for at, count in enumerate(counts)]


def _apart(weights: Packed, batch: int, layer_runs: Sequence[tuple[int, int]]) -> tuple[Tensor, Sequence[Tensor]]:
    """The same with a place for each run; and all of it, [members * all neurons, batch]."""
    space = weights.flat.new_empty(len(weights.all_biases), batch)
    return space, _split(space, _row_counts(weights, layer_runs))


def _split(space: Tensor, counts: Sequence[int]) -> list[Tensor]:
    return [space[begin:end] for begin, end in pairwise(accumulate(counts, initial=0))]


def _row_counts(weights: Packed, layer_runs: Sequence[tuple[int, int]]) -> list[int]:
    return [sum(bias.numel() for bias in weights.biases[begin:end]) for begin, end in layer_runs]


def _stacks(weights: Packed, batch: int) -> Iterator[tuple[int, int]]:
    """The hidden and output layers as runs [begin, end) of one shape each, cut to what a core's own cache holds."""
    begin = 1
    for end in range(2, len(weights.layers) + 1):
        shape = weights.weights[begin].shape
        size = (end + 1 - begin) * shape[0] * shape[1] * batch * weights.flat.element_size()
        if end == len(weights.layers) or weights.weights[end].shape != shape or size > _STACK_BYTES:
            yield begin, end
            begin = end


def _joined(views: list[Tensor]) -> Tensor:
    """Neighbouring views [members, ...] of one storage as a single one: [len(views) * members, ...]."""
    first = views[0]
    return first.as_strided((len(views) * first.shape[0], *first.shape[1:]), first.stride())


def _thin_sets(factors: Tensor, sharing: Sequence[int], width: int, batch: int) -> Iterator[Thin]:
    begin = row = 0
    for members, group in groupby(sharing):
        end = begin + len(list(group))
        rows = slice(row, row + (end - begin) * members * width)
        some = factors[begin:end]
        space = factors.new_empty(end - begin, members * width, factors.shape[1])
        yield Thin(rows, some[:, :, :batch], some[:, :, batch:], space)
        begin, row = end, rows.stop


def _sets(rows: Tensor, count: int) -> Tensor:
    """``rows`` [count * n, m] as [count, n, m]."""
    return rows.view(count, len(rows) // count, rows.shape[1])


def _row_slices(sharing: Sequence[int], width: int) -> list[slice]:
    ends = accumulate((members * width for members in sharing), initial=0)
    return [slice(begin, end) for begin, end in pairwise(ends)]


def _affine(bias: Tensor, weight: Tensor, below: Tensor, out: Tensor) -> Call:
    """``weight`` [M, o, i] times ``below`` [M, i, B], plus ``bias`` [M, o, 1], into ``out`` [M, o, B]."""
    if weight.shape[1:] == (1, 1):
        # A batch of 1x1 products is far slower than the multiplication it is.
        return partial(torch.addcmul, bias, weight, below, out=out)
    return partial(torch.baddbmm, bias, weight, below, out=out)


def _product(weight: Tensor, above: Tensor, out: Tensor) -> Call:
    """``weight`` [M, i, o] times ``above`` [M, o, B] into ``out`` [M, i, B]."""
    if weight.shape[1:] == (1, 1):
        return partial(torch.mul, weight, above, out=out)
    return partial(torch.bmm, weight, above, out=out)
