"""AdamW (Loshchilov & Hutter 2019) with decoupled decay of single members, as calls bound to their tensors."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from psa_tui.engine.backend import ADAMW_BETAS, ADAMW_EPSILON
from psa_tui.engine.backends.torch.chunking import runs
from psa_tui.engine.backends.torch.parameter_layout import ParameterLayout
from psa_tui.engine.backends.torch.passes import Call


class AdamW:
    """The optimiser of a chunk of members, each fresh or gone on with."""

    def __init__(
        self,
        weights: ParameterLayout,
        gradients: ParameterLayout,
        moments: Sequence[ParameterLayout],
        learning_rate: float,
        weight_decay: Sequence[float],
        steps: Sequence[int],
    ) -> None:
        """Bind the calls to ``weights``, their ``gradients`` and the two ``moments``.

        ``weight_decay`` and ``steps``, those taken before, have a number for each member.
        """
        self._device = weights.flat.device
        # The correction of the moments' bias depends on the step, which may be a member's own.
        differ = len(set(steps)) > 1
        self._offsets = list(steps) if differ else [steps[0]]
        self._step: list[Tensor] = []
        self._member_of = [0]
        """The entry of ``_offsets`` that holds for each tensor that is updated."""
        self.calls: list[Call] = []
        """Those of one step: the decay of the members that have one, then the fused update of all."""
        for decay in sorted(set(weight_decay) - {0.0}):
            views = [weights.flat]
            if len(set(weight_decay)) > 1:
                members = list(runs([at for at, found in enumerate(weight_decay) if found == decay]))
                views = [view[:, some] for view in weights.stacked() for some in members]
            self.calls += [partial(view.mul_, 1 - learning_rate * decay) for view in views]
        layouts = [weights, gradients, *moments]
        tensors = [[one.flat] for one in layouts]
        if differ:
            tensors = [[view[at] for view in one.views for at in range(len(steps))] for one in layouts]
            self._member_of = [at for _ in weights.views for at in range(len(steps))]
        self.calls.append(
            partial(
                torch._fused_adamw_,
                *tensors,
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

    def step_numbers(self, first: int, count: int) -> list[tuple[Tensor, ...]]:
        """Return what ``set_step`` takes at each of ``count`` steps of the epoch, from the ``first`` on."""
        numbers = torch.arange(first, first + count).unsqueeze(1) + torch.tensor(self._offsets)
        return [row.unbind() for row in numbers.float().to(self._device).unbind()]

    def set_step(self, numbers: Sequence[Tensor]) -> None:
        """Say which step is taken next: float32, counted from 1, of all members or of each."""
        self._step[:] = [numbers[member] for member in self._member_of]
