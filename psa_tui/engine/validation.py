"""What the validation images say of candidates: correct answers, in halves where a rule wants them, and idle units."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from psa_tui.engine.backend import Backend
from psa_tui.engine.images import Images
from psa_tui.method.promotion import PROMOTING, REPORTED
from psa_tui.method.variants import Variant
from psa_tui.networks.base import Network


class Validated(NamedTuple):
    """What they say of one candidate."""

    correct: int
    """How many of all images it classifies correctly."""
    promoting: int | None
    """How many of the promoting half; None where no variant in force wants halves."""
    inactive: int | None
    """How many of its hidden units no image activates; None where the backend cannot say."""

    def counts(self, variant: Variant) -> tuple[int, int | None]:
        """Return the correct answers that are reported of a ``variant``, and those of its promoting half, if any."""
        if not variant.splits_validation:
            return self.correct, None
        assert self.promoting is not None
        return self.correct - self.promoting, self.promoting


def validate(
    backend: Backend, candidates: Tensor, network: Network, validation: Images, variants: Sequence[Variant]
) -> list[Validated]:
    """Measure each of ``candidates`` [M, parameters] in one forward pass over the images; ``variants`` are in force."""
    halves = any(variant.splits_validation for variant in variants)
    parts = [validation[PROMOTING], validation[REPORTED]] if halves else [validation]
    # A plug-in of an earlier version does not know of it.
    if not getattr(backend, "measures_activity", False) or network.activity_refusal is not None:
        counts = [backend.count_correct(candidates, network, part) for part in parts]
        inactive: list[int | None] = [None] * len(candidates)
    else:
        active = torch.zeros(len(candidates), network.hidden_units, dtype=torch.bool, device=candidates.device)
        counts = [backend.count_correct(candidates, network, part, active=active) for part in parts]
        inactive = (~active).sum(1).tolist()
    correct = torch.stack(counts).sum(0).tolist()
    promoting = counts[0].tolist() if halves else [None] * len(candidates)
    return [Validated(*found) for found in zip(correct, promoting, inactive, strict=True)]
