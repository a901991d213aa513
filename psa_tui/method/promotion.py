"""Promotion rules: which candidates become the Last Known Good (LKG) weights.

A rule is an object with one method, ``decide``; ``PROMOTIONS`` has them by name. To add one from outside, register it
in the entry point group ``psa_tui.promotions``; ``--promote NAME`` then trains with it. One that takes arguments,
``NAME:ARGUMENTS``, has a second method, ``configured``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from psa_tui.errors import ConfigError
from psa_tui.method.progress import Progress
from psa_tui.registry import Registry

if TYPE_CHECKING:
    import numpy as np

STRICT, ALWAYS = "strict", "always"
PROMOTING, REPORTED = slice(0, None, 2), slice(1, None, 2)
"""The validation images on which a rule decides that ``splits_validation``, and those that are reported for it."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a candidate, and why."""

    promoted: bool
    reason: str
    """In a few words, for histories and screens."""
    hold: bool = False
    """Whether a candidate that is rolled back is held, in place of one that was: the next may promote it after all."""
    held: bool = False
    """Whether it is not this candidate but the held one that is promoted."""


class PromotionRule(Protocol):
    """Decides whether a candidate becomes the LKG.

    One with an attribute ``splits_validation`` that is true is told the counts of every other validation image only,
    from the first one on; what is reported, stored and called validation accuracy is then that of the other half. It
    can hold no candidates.
    """

    def decide(self, progress: Progress, correct: int, draws: np.random.Generator) -> Decision:
        """Decide on a candidate whose loss and weights are finite.

        Args:
            progress: the trial's counters before this meta-loop.
            correct: validation images that the candidate classifies correctly, to be compared with
                ``progress.lkg_correct``.
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
            return Decision(True, f"{progress.in_words(gained)} more correct than the LKG")
        fewer = f"{progress.in_words(-gained)} fewer correct than the LKG"
        return Decision(False, fewer if gained else "no better than the LKG")


class PatientPromotion:
    """Strict, but after ``patience`` rollbacks in a row the best of those candidates becomes the LKG all the same."""

    def __init__(self, patience: int = 5) -> None:
        """``patience`` is at least 1."""
        self.patience = patience

    def configured(self, arguments: str) -> PatientPromotion:
        """Return ``patience:K``.

        Raises:
            ConfigError: K is no whole number of at least 1.
        """
        if not (arguments.isascii() and arguments.isdecimal() and len(arguments) <= 9 and int(arguments)):
            raise ConfigError(f"expected patience:K with K of at least 1, found {arguments[:40]!r}")
        return PatientPromotion(int(arguments))

    def decide(self, progress: Progress, correct: int, draws: np.random.Generator) -> Decision:
        """Decide on a candidate, see ``PromotionRule``."""
        strict = _STRICT.decide(progress, correct, draws)
        held = progress.held_correct
        is_best = held is None or correct > held
        if strict.promoted:
            return strict
        if progress.rollbacks_in_a_row + 1 < self.patience:
            return Decision(False, strict.reason, hold=is_best)
        if is_best:
            return Decision(True, f"the best of {self.patience} rolled back")
        return Decision(
            True, f"the best of {self.patience} rolled back, of meta-loop {progress.held_meta_loop}", held=True
        )


class AnnealedPromotion:
    """Accepts a worse candidate with probability exp(loss of accuracy in points / temperature).

    The temperature is ``start * rate ** meta-loops done``: simulated annealing (Kirkpatrick et al. 1983) with the
    acceptance of Metropolis et al. (1953).
    """

    def __init__(self, start: float = 1.0, rate: float = 0.95) -> None:
        """``start`` is in percentage points of validation accuracy, above 0; ``rate`` is above 0 and at most 1."""
        self.start, self.rate = start, rate

    def configured(self, arguments: str) -> AnnealedPromotion:
        """Return ``anneal:T0,RATE``.

        Raises:
            ConfigError: T0 is not above 0, or RATE not above 0 and at most 1.
        """
        try:
            start, rate = map(float, arguments.split(","))
        except ValueError:
            start = rate = math.nan
        if not (0 < start < math.inf and 0 < rate <= 1):
            raise ConfigError(
                f"expected anneal:T0,RATE with a T0 in points above 0 and a RATE up to 1, found {arguments[:40]!r}"
            )
        return AnnealedPromotion(start, rate)

    def decide(self, progress: Progress, correct: int, draws: np.random.Generator) -> Decision:
        """Decide on a candidate, see ``PromotionRule``."""
        strict = _STRICT.decide(progress, correct, draws)
        if strict.promoted or progress.lkg_correct is None:
            return strict
        points = 100 * (correct - progress.lkg_correct) / progress.validation_count
        temperature = self.start * self.rate**progress.meta_loop
        chance = 1.0 if points == 0 else math.exp(points / temperature) if temperature > 0 else 0.0
        accepted = bool(draws.random() < chance)
        return Decision(accepted, f"{strict.reason}, {'accepted' if accepted else 'refused'} at {100 * chance:.3g} %")


class HalfPromotion:
    """Strict on one half of the validation images, of which the other half is reported.

    Under the published rule the best accuracy is the highest of as many looks at the same images as there were
    candidates, so it is too high. What was chosen on other images is not.
    """

    splits_validation = True

    def decide(self, progress: Progress, correct: int, draws: np.random.Generator) -> Decision:
        """Decide on a candidate, see ``PromotionRule``."""
        strict = _STRICT.decide(progress, correct, draws)
        compared = "" if progress.lkg_correct is None else " on the promoting half"
        return Decision(strict.promoted, f"{strict.reason}{compared}")


class AlwaysPromotion:
    """Promotes every candidate that is finite."""

    def decide(self, progress: Progress, correct: int, draws: np.random.Generator) -> Decision:
        """Decide on a candidate, see ``PromotionRule``."""
        return Decision(True, "always promoted")


_STRICT = StrictPromotion()
PROMOTIONS.register(STRICT, _STRICT)
PROMOTIONS.register("patience", PatientPromotion())
PROMOTIONS.register("anneal", AnnealedPromotion())
PROMOTIONS.register("half", HalfPromotion())
PROMOTIONS.register(ALWAYS, AlwaysPromotion())


def find_promotion(text: str) -> PromotionRule:
    """Return the rule that ``text``, a name or ``NAME:ARGUMENTS``, stands for.

    Raises:
        ConfigError: there is none, or it takes no such arguments.
    """
    name, colon, arguments = text.partition(":")
    rule = PROMOTIONS.find(name)
    if not colon:
        return rule
    if not hasattr(rule, "configured"):
        raise ConfigError(f"promotion rule {name} takes no arguments, found {arguments[:40]!r}")
    configured: PromotionRule = rule.configured(arguments)
    return configured


def splits_validation(rule: PromotionRule) -> bool:
    """Return whether ``rule`` decides on one half of the validation images, and the other half is reported."""
    return bool(getattr(rule, "splits_validation", False))


def judge(
    rule: PromotionRule, progress: Progress, correct: int, draws: np.random.Generator, *, finite: bool
) -> Decision:
    """Return what ``rule`` decides; no rule can promote a candidate whose loss or weights are not finite."""
    return rule.decide(progress, correct, draws) if finite else Decision(False, "not finite")
