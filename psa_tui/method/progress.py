"""A trial's counters: with its weights and seed, all that a resume needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

MOST_LOOPS = 10**15
"""More than any run has; sums of them stay far from the end of 64 bits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a trial is. The bounty is the best accuracy ever reached, the LKG's is that of the weights in force.

    Under the published rule, which promotes only what is strictly better, the two are always the same; a rule that
    accepts a worse candidate makes them differ.
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

    @property
    def bounty(self) -> float | None:
        """The highest validation accuracy ever reached, a fraction."""
        return None if self.best_correct is None else self.best_correct / self.validation_count

    @property
    def lkg_accuracy(self) -> float | None:
        """The LKG's validation accuracy, a fraction."""
        return None if self.lkg_correct is None else self.lkg_correct / self.validation_count

    def after(self, meta_loop: int, correct: int, *, finite: bool, promoted: bool) -> Progress:
        """Return the counters after one more meta-loop, whose candidate classified ``correct`` images correctly."""
        best = finite and (self.best_correct is None or correct > self.best_correct)
        after = replace(
            self,
            meta_loop=meta_loop,
            best_correct=correct if best else self.best_correct,
            best_meta_loop=meta_loop if best else self.best_meta_loop,
            non_finite=self.non_finite + (not finite),
        )
        if promoted:
            return replace(
                after,
                lkg_correct=correct,
                lkg_meta_loop=meta_loop,
                promotions=self.promotions + 1,
                rollbacks_in_a_row=0,
            )
        return replace(after, rollbacks=self.rollbacks + 1, rollbacks_in_a_row=self.rollbacks_in_a_row + 1)


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
    correct = [count for count in (progress.lkg_correct, progress.best_correct) if count is not None]
    loops = [
        progress.lkg_meta_loop,
        progress.best_meta_loop,
        progress.promotions,
        progress.rollbacks,
        progress.rollbacks_in_a_row,
        progress.non_finite,
    ]
    numbers = [progress.meta_loop, progress.validation_count, *correct, *loops]
    if not all(type(number) is int for number in numbers):
        raise TypeError("its counters are no whole numbers")
    if min(numbers) < 0 or progress.validation_count < 1 or progress.meta_loop > MOST_LOOPS:
        raise ValueError("its counters are out of range")
    if max(correct, default=0) > progress.validation_count or max(loops) > progress.meta_loop:
        raise ValueError("its counters contradict one another")
