"""The hot loop: one epoch of AdamW over a population, and its evaluation, by autograd.

This module is the whole interface between the engine and the arithmetic: ``train_epoch`` and
``count_correct``. Members never influence one another: the loss is the sum of their mean losses, so each
member's gradient is that of its own loss.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.optim.adamw import adamw

from psa_tui.engine.model import Linear
from psa_tui.engine.randomness import DropoutBits

BETAS = (0.9, 0.999)
EPSILON = 1e-8
_EVALUATION_BATCH = 2000


@dataclass(frozen=True, slots=True)
class Images:
    """One split on the training device: ``pixels`` uint8 [N, 784] and ``labels`` int64 [N]."""

    pixels: Tensor
    labels: Tensor
    mean: float
    std: float

    def __len__(self) -> int:
        """The number of images."""
        return len(self.labels)

    def inputs(self, pixels: Tensor) -> Tensor:
        """Pixels as the network sees them: scaled to [0, 1], then standardised; float32."""
        return pixels.float().div_(255).sub_(self.mean).div_(self.std)


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one epoch trains with; the per-member entries follow the rows of the population."""

    orders: Tensor
    """The order in which each member visits the images: int64 [M, N]."""
    learning_rate: float
    batch_size: int
    weight_decay: Tensor
    """Decoupled weight decay of each member, 0 where its mode has none: float32 [M, 1]."""
    dropout: tuple[DropoutBits | None, ...]
    """Each member's dropout masks, None where its mode has none."""


def train_epoch(
    flat: Tensor, layers: tuple[Linear, ...], images: Images, epoch: Epoch
) -> Generator[tuple[int, Tensor], None, Tensor]:
    """Train ``flat`` [M, parameters] in place for one epoch with a fresh AdamW (Loshchilov & Hutter 2019).

    Yields:
        After every step, the number of images seen and the members' summed losses so far [M].

    Returns:
        Each member's mean training loss over the epoch [M].
    """
    leaves = [view.detach().requires_grad_() for layer in layers for view in (layer.weight(flat), layer.bias(flat))]
    gradient, first_moment, second_moment = (torch.zeros_like(flat) for _ in range(3))
    gradients = [view for layer in layers for view in (layer.weight(gradient), layer.bias(gradient))]
    step = torch.zeros((), device=flat.device)
    shrink = 1 - epoch.learning_rate * epoch.weight_decay
    decays = bool(epoch.weight_decay.any())
    total_loss = torch.zeros(len(flat), device=flat.device)
    count = epoch.orders.shape[1]
    for start in range(0, count, epoch.batch_size):
        chosen = epoch.orders[:, start : start + epoch.batch_size]
        inputs = images.inputs(images.pixels[chosen])
        labels = images.labels[chosen]
        logits = _forward(leaves, inputs, epoch.dropout)
        losses = cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none").view_as(labels).mean(1)
        for destination, computed in zip(gradients, torch.autograd.grad(losses.sum(), leaves), strict=True):
            destination.copy_(computed)
        if decays:
            flat.mul_(shrink)
        with torch.no_grad():
            adamw(
                [flat],
                [gradient],
                [first_moment],
                [second_moment],
                [],
                [step],
                foreach=False,
                amsgrad=False,
                beta1=BETAS[0],
                beta2=BETAS[1],
                lr=epoch.learning_rate,
                weight_decay=0.0,
                eps=EPSILON,
                maximize=False,
            )
        total_loss += losses.detach() * labels.shape[1]
        yield start + labels.shape[1], total_loss
    return total_loss / count


def count_correct(flat: Tensor, layers: tuple[Linear, ...], images: Images) -> Tensor:
    """How many images each member of ``flat`` [M, parameters] classifies correctly: int64 [M]."""
    leaves = [view for layer in layers for view in (layer.weight(flat), layer.bias(flat))]
    correct = torch.zeros(len(flat), dtype=torch.int64, device=flat.device)
    with torch.no_grad():
        for start in range(0, len(images), _EVALUATION_BATCH):
            inputs = images.inputs(images.pixels[start : start + _EVALUATION_BATCH])
            logits = _forward(leaves, inputs.expand(len(flat), -1, -1), ())
            correct += (logits.argmax(2) == images.labels[start : start + _EVALUATION_BATCH]).sum(1)
    return correct


def _forward(leaves: list[Tensor], inputs: Tensor, dropout: tuple[DropoutBits | None, ...]) -> Tensor:
    """Logits [M, B, classes] of ``inputs`` [M, B, 784]; every hidden layer is Linear, ReLU, Dropout."""
    activations = inputs
    last = len(leaves) - 2
    for index in range(0, len(leaves), 2):
        weight, bias = leaves[index], leaves[index + 1]
        activations = torch.baddbmm(bias.unsqueeze(1), activations, weight.transpose(1, 2))
        if index < last:
            activations = activations.relu()
            if any(dropout):
                activations = activations * _masks(dropout, activations)
    return activations


def _masks(dropout: tuple[DropoutBits | None, ...], activations: Tensor) -> Tensor:
    """Each member's scaled dropout mask, ones where it has none: same shape as ``activations`` [M, B, width]."""
    masks = torch.ones(activations.shape)
    for member, bits in enumerate(dropout):
        if bits is not None:
            masks[member] = torch.from_numpy(bits.keep(*activations.shape[1:])) * bits.scale
    return masks.to(activations.device)
