"""AdamW (Loshchilov & Hutter 2019) with decoupled decay of single members, as calls bound to their tensors."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from psa_tui.engine.backend import ADAMW_BETAS, ADAMW_EPSILON
from psa_tui.engine.backends.torch.chunking import runs
from psa_tui.engine.backends.torch.parallel import ParallelStrategy
from psa_tui.engine.backends.torch.passes import Call


class AdamW:
    """A fresh optimiser."""

    def __init__(self, strategy: ParallelStrategy, learning_rate: float, weight_decay: Sequence[float]) -> None:
        """``weight_decay`` has a number for each member of ``strategy``."""
        weights = strategy.updated_weights
        self._step: list[Tensor] = []
        self.calls: list[Call] = []
        """Those of one step: the decay of the members that have one, then the fused update of all."""
        for decay in sorted(set(weight_decay) - {0.0}):
            views = [weights]
            if len(set(weight_decay)) > 1:
                members = list(runs([at for at, found in enumerate(weight_decay) if found == decay]))
                views = [view[:, some] for view in strategy.weights.stacked() for some in members]
            self.calls += [partial(view.mul_, 1 - learning_rate * decay) for view in views]
        self.calls.append(
            partial(
                torch._fused_adamw_,
                [weights],
                [strategy.updated_gradients],
                [torch.zeros_like(weights)],
                [torch.zeros_like(weights)],
                [],
                self._step,
                lr=learning_rate,
                beta1=ADAMW_BETAS[0],
                beta2=ADAMW_BETAS[1],
                weight_decay=0.0,
                eps=ADAMW_EPSILON,
                amsgrad=False,
                maximize=False,
            )
        )

    def set_step(self, number: Tensor) -> None:
        """Say which step is taken next: float32, counted from 1."""
        self._step[:] = [number]
