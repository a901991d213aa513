"""What a trial is. No torch."""

from __future__ import annotations

from dataclasses import dataclass

from psa_tui.method.hyperparameters import Hyperparameters
from psa_tui.method.variants import Variant
from psa_tui.networks.base import Network


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialConfig:
    """One trial: made once, at the door, and read by everything behind it."""

    network: Network
    variant: Variant
    hyperparameters: Hyperparameters
    dataset: str
    seed: int
    meta_loops: int
    initialisation_seed: int | None = None
    """Of the first weights; None where it is ``seed``."""
