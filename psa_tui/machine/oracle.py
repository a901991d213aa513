"""What training should give: the weights after a few steps, computed without any backend.

The oracle is autograd and ``torch.optim.AdamW`` in float64 on the CPU, plainly written. Float32 strays from it by
rounding, how far depends on the numbers. So how far a backend may stray is measured: the oracle itself computes in
float32 too, several times, with the images of each batch in orders of their own. What is wrong, or multiplies with
fewer digits, is hundreds of times as far away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from psa_tui.engine.backend import Epoch
from psa_tui.engine.epoch import Trial, epoch_of
from psa_tui.engine.images import Images
from psa_tui.engine.population import initial_population_row, stack
from psa_tui.method.hyperparameters import Hyperparameters
from psa_tui.method.progress import Progress
from psa_tui.method.variants import DECAY, DROPOUT, NONE
from psa_tui.networks.mlp import Mlp

VARIANTS = (NONE, DECAY, DROPOUT)
"""Those that differ in how they train."""
_HYPERPARAMETERS = Hyperparameters(learning_rate=1e-3, batch_size=64, weight_decay=0.1, dropout=0.25)
_TWINS = 4
_MULTIPLE = 10
"""So many times as far as the farthest of them is near: a few see few of the rare events that lead far."""
_MARGIN = 1e-3
"""Images whose two best logits differ by less, relative to the largest of all, may be counted either way."""


class Strays(NamedTuple):
    """How far weights are from the oracle's."""

    mean: float
    largest: float


@dataclass(frozen=True, slots=True)
class Expected:
    """What the oracle makes of an epoch of a network."""

    weights: Tensor
    """After it, of each of ``VARIANTS``: float64 [M, parameters]."""
    bound: Strays
    """How far from them those computed in float32 may be."""
    decided: Images
    """Those that the first of ``weights`` classifies beyond doubt, with what it says of them as labels."""


def initial_weights(network: Mlp) -> Tensor:
    """Return what the epoch begins with: float32 [M, parameters]."""
    return stack([initial_population_row(network, seed=0)] * len(VARIANTS), torch.device("cpu"))


def epoch_on(images: Images, weights: Tensor) -> Epoch:
    """Return the epoch to train ``weights`` for, afresh: its dropout masks are drawn step by step."""
    trials = [Trial(0, variant, Progress(validation_count=1)) for variant in VARIANTS]
    return epoch_of(trials, VARIANTS, _HYPERPARAMETERS, 2, images, weights, None)


def expect(network: Mlp, images: Images) -> Expected:
    """Return what an epoch of ``network`` on ``images`` should give."""
    weights = initial_weights(network)
    exact = _trained(network, images, weights.double(), None)
    twins = [_trained(network, images, weights, np.random.default_rng(twin)) for twin in range(_TWINS)]
    farthest = map(max, zip(*(strays_of(twin, exact) for twin in twins), strict=True))
    bound = Strays(*(_MULTIPLE * far for far in farthest))
    inputs = _inputs(images, torch.arange(len(images)), exact.dtype)
    with torch.no_grad():
        logits = _logits(_leaves(network, exact[0]), inputs, None)
    best, second = logits.topk(2).values.unbind(1)
    decided = best - second > _MARGIN * logits.abs().max()
    some = images.pixels[decided], logits.argmax(1)[decided], images.mean, images.std, images.input_shape
    return Expected(exact, bound, Images(*some))


def strays_of(weights: Tensor, exact: Tensor) -> Strays:
    """Return how far ``weights``, on any device, are from ``exact``."""
    away = (weights.cpu().double() - exact).abs()
    return Strays(float(away.mean()), float(away.max()))


def _trained(network: Mlp, images: Images, weights: Tensor, reorder: np.random.Generator | None) -> Tensor:
    """Return ``weights`` [M, parameters] after the epoch, computed in their precision: float64.

    ``reorder`` draws the orders of the images in the batches; None leaves them as they are.
    """
    epoch = epoch_on(images, weights)
    rows = [_trained_row(network, images, epoch, member, row, reorder) for member, row in enumerate(weights)]
    return torch.stack(rows).double()


def _trained_row(
    network: Mlp, images: Images, epoch: Epoch, member: int, row: Tensor, reorder: np.random.Generator | None
) -> Tensor:
    rate, size, dropout = epoch.hyperparameters.learning_rate, epoch.hyperparameters.batch_size, epoch.dropout[member]
    leaves = _leaves(network, row)
    optimizer = torch.optim.AdamW(leaves, lr=rate, weight_decay=epoch.weight_decay[member])
    for batch in torch.split(epoch.orders[epoch.order_of[member]], size):
        order = torch.arange(len(batch)) if reorder is None else torch.from_numpy(reorder.permutation(len(batch)))
        masks = torch.ones(network.hidden_units, len(batch), dtype=row.dtype)
        if dropout is not None:
            dropout.fill_dropout_mask(masks.numpy())
        logits = _logits(leaves, _inputs(images, batch[order], row.dtype), masks[:, order])
        optimizer.zero_grad()
        torch.autograd.backward(cross_entropy(logits, images.labels[batch[order]]))
        optimizer.step()
    return torch.cat([leaf.detach().flatten() for leaf in leaves])


def _leaves(network: Mlp, row: Tensor) -> list[Tensor]:
    """Return copies of the tensors of ``row`` [parameters], weights and biases in turn."""
    return [tensor.view(row[None])[0].clone().requires_grad_() for tensor in network.tensors]


def _logits(leaves: Sequence[Tensor], activations: Tensor, masks: Tensor | None) -> Tensor:
    """Return logits [batch, classes] of ``activations`` [batch, inputs]; ``masks`` are [hidden units, batch]."""
    unit = 0
    for weight, bias in zip(leaves[:-2:2], leaves[1:-2:2], strict=True):
        activations = torch.relu(activations @ weight.T + bias)
        if masks is not None:
            activations = activations * masks[unit : unit + len(bias)].T
        unit += len(bias)
    return activations @ leaves[-2].T + leaves[-1]


def _inputs(images: Images, some: Tensor, dtype: torch.dtype) -> Tensor:
    return (images.pixels[some].to(dtype) / 255 - images.mean[0]) / images.std[0]
