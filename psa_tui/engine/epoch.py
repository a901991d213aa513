"""What one epoch of some trials trains with: every number in it is drawn from the trials' own addresses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from psa_tui.engine.backend import Epoch
from psa_tui.method.hyperparameters import Hyperparameters
from psa_tui.method.progress import Progress
from psa_tui.method.randomness import DropoutMaskDraws, shuffled
from psa_tui.method.variants import Variant


@dataclass(slots=True)
class Trial:
    """One member of a population; its weights are its row of ``Population.lkg``."""

    seed: int
    variant: Variant
    progress: Progress


def epoch_of(
    trials: Sequence[Trial], hyperparameters: Hyperparameters, meta_loop: int, train_count: int, weights: Tensor
) -> Epoch:
    """Return what ``trials`` train with in ``meta_loop``, on ``train_count`` images; ``weights`` are theirs."""
    decay = effective_decay(hyperparameters, weights.dtype)
    seeds = list(dict.fromkeys(trial.seed for trial in trials))
    orders = np.stack([shuffled(seed, meta_loop, train_count) for seed in seeds])
    return Epoch(
        orders=torch.from_numpy(orders).to(weights.device),
        order_of=tuple(seeds.index(trial.seed) for trial in trials),
        hyperparameters=hyperparameters,
        weight_decay=tuple(decay if trial.variant.weight_decay else 0.0 for trial in trials),
        dropout=tuple(
            DropoutMaskDraws(trial.seed, meta_loop, hyperparameters.dropout) if trial.variant.dropout else None
            for trial in trials
        ),
    )


def effective_decay(hyperparameters: Hyperparameters, dtype: torch.dtype) -> float:
    """Return the weight decay, or 0 where ``1 - rate * decay`` is 1 in ``dtype``, as for 1e-4 and 1e-4 in float32."""
    factor = torch.tensor(1 - hyperparameters.learning_rate * hyperparameters.weight_decay, dtype=dtype)
    return 0.0 if factor == 1 else hyperparameters.weight_decay
