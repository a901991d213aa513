"""What one epoch of some trials trains with: every number in it is drawn from the trials' own addresses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

from psa_tui.engine.backend import NOT_COUNTED, Epoch
from psa_tui.engine.images import Images
from psa_tui.method.hyperparameters import Hyperparameters
from psa_tui.method.progress import Progress
from psa_tui.method.randomness import DropoutMaskDraws, Purpose, generator, shuffled
from psa_tui.method.variants import OptimizerState, Variant


@dataclass(slots=True)
class Trial:
    """One member of a population; its weights are its row of ``Population.lkg``."""

    seed: int
    variant: Variant
    progress: Progress
    initialisation_seed: int | None = None
    """Of the weights it begins with or restarts from; None where it is ``seed``."""


def epoch_of(
    trials: Sequence[Trial],
    variants: Sequence[Variant],
    hyperparameters: Hyperparameters,
    meta_loop: int,
    train: Images,
    weights: Tensor,
    moments: Tensor | None,
    draw: Callable[[int, int, int], np.ndarray] = shuffled,
) -> Epoch:
    """Return what ``trials`` train with in ``meta_loop``.

    Args:
        variants: those in force.
        train: the training images.
        weights: the candidates.
        moments: those of optimisers that are gone on with [M, 2, parameters], zero for fresh ones; None where all are.
        draw: ``shuffled``, or what is equal to it.
    """
    decay = effective_decay(hyperparameters, weights.dtype)
    seeds = list(dict.fromkeys(trial.seed for trial in trials))
    orders = np.stack([draw(seed, meta_loop, len(train)) for seed in seeds])
    keeps = [variant.optimizer_state is not OptimizerState.FRESH for variant in variants]
    return Epoch(
        orders=torch.from_numpy(orders).to(weights.device),
        order_of=tuple(seeds.index(trial.seed) for trial in trials),
        hyperparameters=hyperparameters,
        weight_decay=tuple(decay if variant.weight_decay else 0.0 for variant in variants),
        dropout=tuple(
            DropoutMaskDraws(trial.seed, meta_loop, hyperparameters.dropout) if variant.dropout else None
            for trial, variant in zip(trials, variants, strict=True)
        ),
        labels=tuple(
            shuffled_labels(train, trial.seed) if variant.shuffled_labels else None
            for trial, variant in zip(trials, variants, strict=True)
        ),
        moments=moments,
        steps=tuple(trial.progress.optimizer_steps if kept else 0 for trial, kept in zip(trials, keeps, strict=True)),
        correct=torch.full((len(trials),), NOT_COUNTED, device=weights.device),
    )


def shuffled_labels(images: Images, seed: int) -> Tensor:
    """Return the labels of ``images`` in a random order, always the same for a trial: int64 [N]."""
    key = f"labels {seed}"
    if key not in images.prepared:
        order = generator(seed, 0, Purpose.LABELS).permutation(len(images))
        images.prepared[key] = images.labels[torch.from_numpy(order).to(images.labels.device)]
    labels: Tensor = images.prepared[key]
    return labels


@cache
def effective_decay(hyperparameters: Hyperparameters, dtype: torch.dtype) -> float:
    """Return the weight decay, or 0 where ``1 - rate * decay`` is 1 in ``dtype``, as for 1e-4 and 1e-4 in float32."""
    factor = torch.tensor(1 - hyperparameters.learning_rate * hyperparameters.weight_decay, dtype=dtype)
    return 0.0 if factor == 1 else hyperparameters.weight_decay
