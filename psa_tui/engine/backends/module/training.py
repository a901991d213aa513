"""One epoch and its evaluation for any network: autograd over ``Network.train_forward``, member by member.

Members are not batched: whatever a network computes will do, and a trial ends with the same bits alone and among
others. Stacked by ``torch.func.vmap``, on one core of a CPU, ten members of ``[2*16]`` at batch 64 took 0.31 instead of
0.60 ms a step, ten of ``[4*8]`` at batch 256 0.70 instead of 0.96; but one alone 1.7 instead of 0.6, and 2.9 instead of
0.9. Convolutions of 4 and 8 channels gained nothing, and their bits depended on how many members there were
(``benchmarks/members_by_vmap.py``). No GPU was tried.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.optim.adamw import adamw

from psa_tui.engine.backend import ADAMW_BETAS, ADAMW_EPSILON, Epoch
from psa_tui.engine.images import Images
from psa_tui.method.randomness import DropoutMaskDraws
from psa_tui.networks.base import DropoutMasks, Network

_EVALUATION_BATCH = 256


def train_epoch(
    weights: Tensor, network: Network, images: Images, epoch: Epoch
) -> Generator[tuple[int, Tensor], None, Tensor]:
    """Train ``weights`` [M, parameters] for one epoch, see ``psa_tui.engine.backend.Backend``."""
    count = epoch.orders.shape[1]
    batch_size = min(epoch.hyperparameters.batch_size, count)
    members = [_Member(weights, member, network, epoch) for member in range(len(weights))]
    losses = weights.new_zeros(len(weights), batch_size)
    correct = torch.zeros(len(weights), dtype=torch.int64, device=weights.device)
    seen = 0
    for batches in torch.split(epoch.orders, batch_size, dim=1):
        inputs = [network_inputs(images, batch, weights.dtype) for batch in batches]
        labels = images.labels[batches]
        for member, sums, count_of_member in zip(members, losses, correct, strict=True):
            own = labels[member.order] if member.labels is None else member.labels[batches[member.order]]
            found, right = member.step(inputs[member.order], own)
            sums[: batches.shape[1]] += found
            count_of_member += right
        seen += batches.shape[1]
        yield seen, losses
    if epoch.correct is not None:
        epoch.correct.copy_(correct)
    for at, member in enumerate(members):
        member.store(weights[at], None if epoch.moments is None else epoch.moments[at])
    return losses.sum(1) / count


class _Member:
    """One trial's epoch: its weights and its optimiser."""

    def __init__(self, weights: Tensor, member: int, network: Network, epoch: Epoch) -> None:
        self.network = network
        self.order = epoch.order_of[member]
        self.dropout = epoch.dropout[member]
        self.learning_rate = epoch.hyperparameters.learning_rate
        self.weight_decay = epoch.weight_decay[member]
        self.row = weights[member].clone()
        self.labels = epoch.labels[member]
        self.views = tensors_of(network, self.row)
        # In memory of their own: autograd would take a change of them for one of the weights, whose row they share.
        self.buffers = {buffer.name: self.views[buffer.name].clone() for buffer in network.buffers}
        self.leaves = {
            name: view.detach().requires_grad_() for name, view in self.views.items() if name not in self.buffers
        }
        gradient = torch.zeros_like(self.row)
        gradients = tensors_of(network, gradient)
        self.gradients = [gradients[name] for name in self.leaves]
        self.moments = self.row.new_zeros(2, len(self.row)) if epoch.moments is None else epoch.moments[member].clone()
        self.steps = torch.tensor(float(epoch.steps[member]))
        trained = slice(network.trained)
        self.weights, self.gradient = self.row[trained], gradient[trained]
        self.first_moment, self.second_moment = self.moments[:, trained]

    def step(self, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Take one step on ``inputs`` [batch, *input_shape].

        Returns:
            The losses from before it, [batch], and how many images were classified correctly.
        """
        masks = None if self.dropout is None else draw_dropout_masks(self.dropout, self.network, inputs)
        logits = self.network.train_forward(self.leaves | self.buffers, inputs, masks)
        losses = cross_entropy(logits, labels, reduction="none")
        found = torch.autograd.grad(losses.mean(), list(self.leaves.values()))
        for gradient, computed in zip(self.gradients, found, strict=True):
            gradient.copy_(computed)
        with torch.no_grad():
            # Decoupled decay, a factor of its own: where it is 1 in this dtype it changes no bit.
            self.weights.mul_(1 - self.learning_rate * self.weight_decay)
            adamw(
                [self.weights],
                [self.gradient],
                [self.first_moment],
                [self.second_moment],
                [],
                [self.steps],
                foreach=False,
                amsgrad=False,
                beta1=ADAMW_BETAS[0],
                beta2=ADAMW_BETAS[1],
                lr=self.learning_rate,
                weight_decay=0.0,
                eps=ADAMW_EPSILON,
                maximize=False,
            )
            # The largest is not a number where any is none, and then nothing equals it.
            correct = (logits.gather(1, labels.unsqueeze(1)) == logits.amax(1, keepdim=True)).sum()
        return losses.detach(), correct

    def store(self, row: Tensor, moments: Tensor | None) -> None:
        """Write what the epoch ended with into ``row`` [parameters] and ``moments`` [2, parameters], if wanted."""
        for name, buffer in self.buffers.items():
            self.views[name].copy_(buffer)
        row.copy_(self.row)
        if moments is not None:
            moments.copy_(self.moments)


def count_correct(weights: Tensor, network: Network, images: Images, active: Tensor | None = None) -> Tensor:
    """Return how many images each member of ``weights`` [M, parameters] classifies correctly, see ``Backend``."""
    marks = None if active is None else [_activity_marks(row) for row in active]
    correct = torch.zeros(len(weights), dtype=torch.int64, device=weights.device)
    everything = torch.arange(len(images), device=weights.device)
    with torch.no_grad():
        for batch in torch.split(everything, _EVALUATION_BATCH):
            inputs = network_inputs(images, batch, weights.dtype)
            for member, row in enumerate(weights):
                tensors = tensors_of(network, row)
                if marks is None:
                    logits = network.forward(tensors, inputs, None)
                else:
                    logits = network.watched_forward(tensors, inputs, marks[member])
                correct[member] += (logits.argmax(1) == images.labels[batch]).sum()
    return correct


def _activity_marks(active: Tensor) -> DropoutMasks:
    """Return what, called as dropout is, marks the units in ``active``, bool [hidden units], and drops nothing."""

    def mark(activations: Tensor, first_unit: int) -> Tensor:
        units = activations.shape[1]
        active[first_unit : first_unit + units] |= (activations != 0).transpose(0, 1).flatten(1).any(1)
        return activations

    return mark


def network_inputs(images: Images, batch: Tensor, dtype: torch.dtype) -> Tensor:
    """Return the images of ``batch``, int64 [batch], as a network sees them: [batch, *input_shape]."""
    pixels = images.pixels[batch].view(len(batch), *images.input_shape).to(dtype)
    if images.are_floats:
        return pixels
    shape = [-1] + [1] * (len(images.input_shape) - 1)
    mean, std = (pixels.new_tensor(values).view(shape) for values in (images.mean, images.std))
    return pixels.div_(255).sub_(mean).div_(std)


def draw_dropout_masks(draws: DropoutMaskDraws, network: Network, like: Tensor) -> DropoutMasks:
    """Draw one step's masks of all units that are dropped, for the images of ``like`` [batch, ...]."""
    drawn = torch.empty(network.dropped_units, len(like), dtype=like.dtype)
    draws.fill_dropout_mask(drawn.numpy())
    mask = drawn.t().to(like.device)

    def dropout(activations: Tensor, first_unit: int) -> Tensor:
        found = mask[:, first_unit : first_unit + activations.shape[1]]
        return activations * found.view(*found.shape, *[1] * (activations.dim() - 2))

    return dropout


def tensors_of(network: Network, row: Tensor) -> Mapping[str, Tensor]:
    """Return views of ``row`` [parameters] by name."""
    return {tensor.name: tensor.view(row.unsqueeze(0))[0] for tensor in network.tensors}
