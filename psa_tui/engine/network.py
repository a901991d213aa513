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
from itertools import accumulate, pairwise

import torch
from torch import Tensor

from psa_tui.engine.packed import Packed

Call = Callable[[], object]

_STACK_BYTES = 512 << 10
"""The gradients of several layers of one shape are one batch of products while their activations fit in this."""


class Forward:
    """The forward pass over one batch size: ``inputs`` to ``logits``."""

    def __init__(
        self,
        weights: Packed,
        sharing: Sequence[int],
        batch: int,
        scale: float,
        masks: Sequence[Mask] = (),
        ranks: Sequence[int] = (),
        rare: int = 0,
    ) -> None:
        """Make the buffers and the calls.

        ``sharing`` counts the successive members that see the same images; ``scale`` is what the inputs
        still have to be multiplied by; ``masks`` are the dropout masks. The last ``rare`` inputs come as
        factors, of one of ``ranks`` for each set of sharing members (see ``columns``).
        """
        like = weights.flat
        members, width, pixels = weights.weights[0].shape
        self.inputs = like.new_empty(len(sharing), batch, pixels - rare)
        """What each set of sharing members sees in the common columns, before ``scale``: [sets, batch, common]."""
        self.rare = [Rare(like, members * width, batch, rare, rank) for rank in ranks]
        """What each set sees in the others."""
        self.activations = _per_layer(weights, batch)[1]
        """The output of each layer, after ReLU and dropout where it is hidden: [members, outputs, batch]."""
        self.rows = _row_slices(sharing, width)
        """Where the first layer of each set of sharing members lies among all its rows."""
        self.calls: list[Call] = []
        first = self.activations[0].view(members * width, batch)
        weight, bias = weights.weights[0].view(-1, pixels), weights.biases[0].view(-1, 1)
        dense, sparse = weight[:, : pixels - rare], weight[:, pixels - rare :]
        for rows, inputs in zip(self.rows, self.inputs, strict=True):
            self.calls.append(partial(torch.addmm, bias[rows], dense[rows], inputs.t(), alpha=scale, out=first[rows]))
        for rows, part in zip(self.rows if rare else (), self.rare, strict=True):
            self.calls.append(partial(torch.mm, sparse[rows], part.right.t(), out=part.product[rows]))
            self.calls.append(partial(first[rows].addmm_, part.product[rows], part.left, alpha=scale))
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


class Rare:
    """The rare columns of one batch, centred: ``left`` [rank, batch], transposed, times ``right`` [rank, rare]."""

    def __init__(self, like: Tensor, rows: int, batch: int, rare: int, rank: int) -> None:
        """Make the buffers, for a first layer of ``rows`` rows."""
        self.factors = like.new_empty(rank, batch + rare)
        self.left, self.right = self.factors[:, :batch], self.factors[:, batch:]
        self.product = like.new_empty(rows, rank)


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
        self, forward: Forward, weights: Packed, gradients: Packed, scale: float, masks: Sequence[Mask] = ()
    ) -> None:
        """Make the buffers and the calls; ``gradients`` are overwritten by each run."""
        logits = forward.logits
        members, _, batch = logits.shape
        self.labels = torch.empty(members, 1, batch, dtype=torch.int64, device=logits.device)
        """The correct class of every image of every member: [members, 1, batch]."""
        self.losses = logits.new_empty(members, 1)
        """Each member's summed log-likelihood, the negative of its summed loss: [members, 1]."""
        log_likelihoods = torch.empty_like(logits)
        picked = logits.new_empty(members, 1, batch)
        neurons, deltas = _per_layer(weights, batch)
        last = len(weights.layers) - 1
        stacks = dict(_stacks(weights, batch))
        above = deltas[last]
        self.calls: list[Call] = [
            partial(torch.log_softmax, logits, 1, out=log_likelihoods),
            partial(torch.gather, log_likelihoods, 1, self.labels, out=picked),
            partial(torch.sum, picked, 2, out=self.losses),
            partial(torch.exp, log_likelihoods, out=above),
            partial(above.scatter_add_, 1, self.labels, torch.full_like(picked, -1)),
            partial(above.mul_, 1 / batch),
        ]
        for index in range(last, 0, -1):
            if index in stacks:
                stack = slice(index, stacks[index])
                hidden = _joined(forward.activations[index - 1 : stacks[index] - 1])
                target = _joined(gradients.weights[stack])
                self.calls.append(partial(torch.bmm, _joined(deltas[stack]), hidden.transpose(1, 2), out=target))
            below, hidden = deltas[index - 1], forward.activations[index - 1]
            self.calls += [
                _product(weights.weights[index].transpose(1, 2), above, below),
                # What dropout has zeroed, ReLU's gradient zeroes too; only dropout's scale remains.
                partial(torch.ops.aten.threshold_backward.grad_input, below, hidden, 0, grad_input=below),
            ]
            self.calls += [partial(below[mask.members].mul_, mask.scale) for mask in masks]
            above = below
        matrix, gradient = above.view(-1, batch), gradients.weights[0].view(-1, weights.layers[0].inputs)
        common = forward.inputs.shape[2]
        for rows, inputs in zip(forward.rows, forward.inputs, strict=True):
            target = gradient[rows, :common]
            self.calls.append(partial(target.addmm_, matrix[rows], inputs, beta=0, alpha=scale))
        for rows, part in zip(forward.rows if forward.rare else (), forward.rare, strict=True):
            target = gradient[rows, common:]
            self.calls.append(partial(torch.mm, matrix[rows], part.left.t(), out=part.product[rows]))
            self.calls.append(partial(target.addmm_, part.product[rows], part.right, beta=0, alpha=scale))
        self.calls.append(partial(torch.sum, neurons, 1, out=gradients.all_biases))

    def run(self) -> None:
        """Compute ``losses`` and the gradients."""
        for call in self.calls:
            call()


def _per_layer(weights: Packed, batch: int) -> tuple[Tensor, list[Tensor]]:
    """Space for a number per neuron and image, [members * neurons, batch], and each layer's [members, outputs, batch].

    The rows are in the order of the biases in ``Packed.all_biases``.
    """
    space = weights.flat.new_empty(len(weights.all_biases), batch)
    sizes = [bias.shape[0] * bias.shape[1] for bias in weights.biases]
    ends = accumulate(sizes, initial=0)
    layers = zip(weights.biases, pairwise(ends), strict=True)
    return space, [space[begin:end].view(bias.shape[0], -1, batch) for bias, (begin, end) in layers]


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
