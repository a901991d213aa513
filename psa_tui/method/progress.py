"""A trial's counters: with its weights and seed, all that a resume needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psa_tui.method.promotion import Decision

MOST_LOOPS = 10**15
"""More than any run has; sums of them stay far from the end of 64 bits."""
ESCAPE_ABOVE_MAJORITY = 0.15
"""A trial has escaped chance once it is so much more accurate than always answering the most frequent class."""
FRACTIONS = 2**62
"""The validation count of a trial that is told accuracies as fractions: each is a whole number of such parts, exactly
so from a thousandth on, and as exact as any count of images can tell below it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a trial is. The bounty is the best accuracy ever reached, the LKG's is that of the weights in force.

    Under the published rule, which promotes only what is strictly better, the two are always the same; a rule that
    accepts a worse candidate makes them differ. Where the rule decides on one half of the validation images, the best
    is the candidate that is best on that half, and all counts but those called promoting are of the other half.
    """

    meta_loop: int = 0
    """Meta-loops completed."""
    validation_count: int
    lkg_correct: int | None = None
    """Validation images the LKG classifies correctly; None until a first candidate was promoted."""
    lkg_meta_loop: int = 0
    """The meta-loop that made the LKG."""
    best_correct: int | None = None
    """The most validation images that any finite candidate classified correctly, promoted or not."""
    best_meta_loop: int = 0
    """The first meta-loop that reached it."""
    promotions: int = 0
    rollbacks: int = 0
    rollbacks_in_a_row: int = 0
    non_finite: int = 0
    """Candidates rolled back because their loss or a weight was not finite."""
    accepted_worse: int = 0
    """Candidates promoted although they classified fewer validation images correctly than the LKG before them."""
    held_correct: int | None = None
    """Of a candidate that a promotion rule rolled back but holds; None while it holds none."""
    held_meta_loop: int = 0
    optimizer_steps: int = 0
    """Steps taken by the optimiser whose state is kept with the LKG or from loop to loop; 0 where it is fresh."""
    held_optimizer_steps: int = 0
    """Steps taken by the optimiser of the held candidate."""
    lkg_dead: int | None = None
    """The LKG's hidden units whose incoming weights and bias are all zero; None without an LKG, and where unknown."""
    lkg_inactive: int | None = None
    """The LKG's hidden units that no validation image activates; None without an LKG, and where unknown."""
    held_inactive: int | None = None
    """Those of the held candidate."""
    lkg_promoting: int | None = None
    """Images of the promoting half that the LKG classifies correctly; None where all validation images decide."""
    best_promoting: int | None = None
    """The most images of the promoting half that any finite candidate classified correctly."""

    @property
    def bounty(self) -> float | None:
        """The highest validation accuracy ever reached, a fraction."""
        return None if self.best_correct is None else self.best_correct / self.validation_count

    @property
    def lkg_accuracy(self) -> float | None:
        """The LKG's validation accuracy, a fraction."""
        return None if self.lkg_correct is None else self.lkg_correct / self.validation_count

    def in_words(self, count: int) -> str:
        """Return a number of validation images; of a trial that is told fractions, the percentage points they are."""
        return f"{count}" if self.validation_count != FRACTIONS else f"{100 * count / FRACTIONS:.3g} points"

    def told(self) -> Progress:
        """Return what a rule is told that decides on one half of the images: that half's counts, not the other's."""
        return replace(self, lkg_correct=self.lkg_promoting, best_correct=self.best_promoting)

    def after(
        self, meta_loop: int, correct: int, decision: Decision, *, finite: bool, promoting: int | None = None
    ) -> Progress:
        """Return the counters after one more meta-loop, whose candidate classified ``correct`` images correctly.

        Where a half of the validation images decides, those are of the other half, and ``promoting`` of the first one.
        """
        if promoting is not None and (decision.hold or decision.held):
            raise ValueError("a promotion rule that decides on half of the validation images holds no candidate")
        count, most = (correct, self.best_correct) if promoting is None else (promoting, self.best_promoting)
        best = finite and (most is None or count > most)
        after = replace(
            self,
            meta_loop=meta_loop,
            best_correct=correct if best else self.best_correct,
            best_promoting=promoting if best else self.best_promoting,
            best_meta_loop=meta_loop if best else self.best_meta_loop,
            non_finite=self.non_finite + (not finite),
        )
        if not decision.promoted:
            after = replace(after, rollbacks=self.rollbacks + 1, rollbacks_in_a_row=self.rollbacks_in_a_row + 1)
            return replace(after, held_correct=correct, held_meta_loop=meta_loop) if decision.hold else after
        if decision.held:
            assert self.held_correct is not None
            correct, meta_loop = self.held_correct, self.held_meta_loop
        return replace(
            after,
            lkg_correct=correct,
            lkg_promoting=promoting,
            lkg_meta_loop=meta_loop,
            promotions=self.promotions + 1,
            rollbacks_in_a_row=0,
            accepted_worse=self.accepted_worse + (self.lkg_correct is not None and correct < self.lkg_correct),
            held_correct=None,
            held_meta_loop=0,
        )


def decode_progress(values: Mapping[str, Any]) -> Progress:
    """Return the counters of ``values``, JSON-ready ones; those of files that do not know the best have the LKG's.

    Raises:
        TypeError: ``values`` has other fields.
    """
    if "best_correct" not in values:
        values = {**values, "best_correct": values["lkg_correct"], "best_meta_loop": values["lkg_meta_loop"]}
    return Progress(**values)


def check_progress(progress: Progress) -> None:
    """Make sure that counters from a file can be those of a trial.

    Raises:
        TypeError: one is no whole number.
        ValueError: they contradict one another.
    """
    counts = (progress.lkg_correct, progress.best_correct, progress.held_correct)
    correct = [count for count in counts if count is not None]
    further = progress.lkg_dead, progress.lkg_inactive, progress.held_inactive
    others = [n for n in (*further, progress.lkg_promoting, progress.best_promoting) if n is not None]
    loops = [
        progress.accepted_worse,
        progress.held_meta_loop,
        progress.lkg_meta_loop,
        progress.best_meta_loop,
        progress.promotions,
        progress.rollbacks,
        progress.rollbacks_in_a_row,
        progress.non_finite,
    ]
    steps = [progress.optimizer_steps, progress.held_optimizer_steps]
    numbers = [progress.meta_loop, progress.validation_count, *correct, *loops, *steps, *others]
    if not all(type(number) is int for number in numbers):
        raise TypeError("its counters are no whole numbers")
    if min(numbers) < 0 or progress.validation_count < 1 or progress.meta_loop > MOST_LOOPS:
        raise ValueError("its counters are out of range")
    if max(correct, default=0) > progress.validation_count or max(loops) > progress.meta_loop:
        raise ValueError("its counters contradict one another")
