"""Promotion rules: which candidates become the Last Known Good (LKG) weights.

A rule is an object with one method, ``decide``; ``PROMOTIONS`` has them by name. To add one from outside, register it
in the entry point group ``psa_tui.promotions``; ``--mode MODE+NAME`` then trains with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from psa_tui.method.progress import Progress
from psa_tui.registry import Registry

if TYPE_CHECKING:
    import numpy as np

STRICT = "strict"


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a candidate, and why."""

    promoted: bool
    reason: str
    """In a few words, for histories and screens."""


class PromotionRule(Protocol):
    """Decides whether a candidate becomes the LKG."""

    def decide(self, progress: Progress, correct: int, draws: np.random.Generator) -> Decision:
        """Decide on a candidate whose loss and weights are finite.

        Args:
            progress: the trial's counters before this meta-loop.
            correct: validation images that the candidate classifies correctly.
            draws: the addressed generator of this trial and meta-loop; the only source of randomness allowed.
        """


PROMOTIONS: Registry[PromotionRule] = Registry("promotion rule", "psa_tui.promotions")


class StrictPromotion:
    """The published rule: promote what is strictly better than the LKG, and the very first candidate."""

    def decide(self, progress: Progress, correct: int, draws: np.random.Generator) -> Decision:
        """Decide on a candidate, see ``PromotionRule``."""
        if progress.lkg_correct is None:
            return Decision(True, "the first candidate")
        gained = correct - progress.lkg_correct
        if gained > 0:
            return Decision(True, f"{gained} more correct than the LKG")
        return Decision(False, f"{-gained} fewer correct than the LKG" if gained else "no better than the LKG")


PROMOTIONS.register(STRICT, StrictPromotion())


def judge(
    rule: PromotionRule, progress: Progress, correct: int, draws: np.random.Generator, *, finite: bool
) -> Decision:
    """Return what ``rule`` decides; no rule can promote a candidate whose loss or weights are not finite."""
    return rule.decide(progress, correct, draws) if finite else Decision(False, "not finite")
