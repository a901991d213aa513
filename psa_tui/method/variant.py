"""A variant: what a trial does to its candidates and to its training, as a value."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from psa_tui.errors import ConfigError
from psa_tui.method.ablation import Ablation
from psa_tui.method.initialisation import DEFAULT as DEFAULT_INITIALISATION
from psa_tui.method.promotion import REPORTED, STRICT, PromotionRule, find_promotion, splits_validation

if TYPE_CHECKING:
    from psa_tui.networks.base import Network

Dashes = str | tuple[int, tuple[float, ...]]


class OptimizerState(StrEnum):
    """What AdamW's moments and step count are when a candidate's epoch begins."""

    FRESH = "fresh"
    """Zero, as published."""
    LKG = "lkg"
    """Those that were saved with the LKG."""
    KEEP = "keep"
    """Those of the epoch before, whatever became of its candidate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """How trials of one kind differ from a plain meta-loop."""

    name: str
    """What ``--mode``, checkpoints, tables and screens call it; ``find_variant`` reads it back."""
    ablation: Ablation | None = None
    """What is damaged; None where nothing is."""
    promotion: str = STRICT
    """The name of its promotion rule, with arguments behind a colon where it takes some."""
    optimizer_state: OptimizerState = OptimizerState.FRESH
    weight_decay: bool = False
    """Whether AdamW decays weights at the configured rate; without, the rate is exactly 0."""
    dropout: bool = False
    """Whether hidden units are dropped at the configured rate."""
    initialisation: str = DEFAULT_INITIALISATION
    """The law that the first weights are drawn from, one of ``INITIALISATIONS``."""
    restarts: bool = False
    """Whether every meta-loop trains a new initialisation in place of a clone of the LKG."""
    shuffled_labels: bool = False
    """Whether it trains on labels that are shuffled among the training images, once for a seed."""
    schedule: tuple[tuple[int, Variant], ...] = ()
    """Variants with the meta-loops that each is in force for; the last one stays. Empty for this one alone."""
    letter: str = "?"
    """Its mark in maps and curves of letters."""
    colour: str = "#8b949e"
    style: str = ""
    """Its Rich style."""
    marker: str = "o"
    dashes: Dashes = "-"

    @property
    def ablates(self) -> bool:
        """Whether candidates are damaged before they are trained."""
        return self.ablation is not None or any(one.ablates for one in self.all_variants if one is not self)

    @property
    def promotion_rule(self) -> PromotionRule:
        """The rule that decides what becomes the LKG."""
        return find_promotion(self.promotion)

    @property
    def splits_validation(self) -> bool:
        """Whether one half of the validation images decides what is promoted, and the other half is reported."""
        return splits_validation(self.all_variants[0].promotion_rule)

    @property
    def reported(self) -> slice:
        """The validation images whose accuracy is reported."""
        return REPORTED if self.splits_validation else slice(None)

    def at(self, meta_loop: int) -> Variant:
        """Return the variant in force in ``meta_loop``, which is this one where it has no schedule."""
        in_force = self
        for loops, variant in self.schedule:
            in_force = variant
            meta_loop -= loops
            if meta_loop <= 0:
                break
        return in_force

    @property
    def all_variants(self) -> tuple[Variant, ...]:
        """All that are in force at some time: itself, or those of its schedule."""
        return tuple(variant for _, variant in self.schedule) or (self,)

    @property
    def kept_copies(self) -> int:
        """How many numbers a parameter it keeps beside the weights, at most: an optimiser's state, a held candidate."""
        every = self.all_variants
        keeps = any(one.optimizer_state is not OptimizerState.FRESH for one in every)
        # Moments of the LKG and of the candidate; a candidate that a rule may hold, with its moments.
        return 4 * keeps + 3 * any(one.promotion not in (STRICT, "always") for one in every)

    def check_network(self, network: Network) -> None:
        """Make sure that a network can be trained so.

        Raises:
            ConfigError: it has no such unit, or no such initialisation, or cannot drop units.
        """
        if self.dropout and network.dropout_refusal is not None:
            raise ConfigError(f"{network.family} {network} cannot be trained with dropout: {network.dropout_refusal}")
        if self.ablation is not None:
            self.ablation.check_network(network)
        if self.initialisation not in network.initialisations:
            raise ConfigError(f"networks of family {network.family} have no initialisation {self.initialisation}")

    def without_look(self) -> Variant:
        """Return it as it trains, whatever screens and figures show of it."""
        return replace(self, letter="", colour="", style="", marker="", dashes="")

    def __str__(self) -> str:
        """Return its name."""
        return self.name
