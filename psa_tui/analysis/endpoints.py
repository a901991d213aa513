"""What is measured of a trial: accuracy, whether it escaped, how far it came, how often it was harmed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psa_tui.analysis.loop_measures import OF_LOOPS
from psa_tui.analysis.regimes import majority_class
from psa_tui.formatting import percent
from psa_tui.method.progress import ESCAPE_ABOVE_MAJORITY
from psa_tui.studies.design.plan import Endpoint as Measure

if TYPE_CHECKING:
    import numpy as np
    from pandas import DataFrame

    Array = np.ndarray[Any, np.dtype[Any]]

_EXACT = 1e-9


@dataclass(frozen=True)
class Endpoint:
    """A value for each row of a table of trials, and what it is in words."""

    values: Array
    words: str
    remark: str = ""
    """What a reader must know of it."""
    is_escape: bool = False


def endpoint_of(trials: DataFrame, measure: Measure) -> Endpoint:
    """Return what ``measure`` is of each trial; of the measures of meta-loops, those of ``with_loop_measures``."""
    if measure not in OF_LOOPS:
        return accuracy(trials, measure)
    return Endpoint(trials[OF_LOOPS[measure]].to_numpy(dtype=float), *_OF_LOOPS[measure])


def accuracy(trials: DataFrame, measure: Measure = Measure.VALIDATION) -> Endpoint:
    """Return the accuracy of each trial; validation, and a remark, where test accuracies are asked for and missing."""
    if measure is Measure.TEST and has_test_accuracies(trials):
        return Endpoint(trials["test_accuracy"].to_numpy(dtype=float), "test accuracy")
    remark = _FALLBACK if measure is Measure.TEST else ""
    return Endpoint(trials["best_validation_accuracy"].to_numpy(dtype=float), "best validation accuracy", remark)


def escape_bar(trials: DataFrame, bar: float | None = None, zero_r: float | None = None) -> float:
    """Return the accuracy above which a trial has escaped: ``bar``, else the majority class plus 15 points.

    Raises:
        ConfigError: neither is known.
    """
    return majority_class(trials, zero_r) + ESCAPE_ABOVE_MAJORITY if bar is None else bar


def escape(trials: DataFrame, bar: float) -> Endpoint:
    """Return 1 for each trial whose test accuracy is above ``bar``, else 0.

    By the validation accuracy, with a remark, where a test accuracy is missing.
    """
    found = accuracy(trials, Measure.TEST)
    values = (found.values > bar + _EXACT).astype(float)
    return Endpoint(values, f"escape ({found.words} above {percent(bar)})", found.remark, is_escape=True)


def has_test_accuracies(trials: DataFrame) -> bool:
    """Whether every trial has one."""
    return bool(trials["test_accuracy"].notna().all())


_FALLBACK = (
    "Test accuracies are missing here, so the best validation accuracy stands for them; it is selected, and too high."
)
_OF_LOOPS = {
    Measure.GAIN: (
        "gain over the start (best validation accuracy less that of the first LKG)",
        "The best of many loops is above the first by chance alone; what tells is the contrast. Modes that share their "
        "seeds and begin alike have the same start: their contrast is that of the best accuracies.",
    ),
    Measure.HARM: (
        "harm rate (candidates worse than the LKG)",
        "Of modes that ablate, of the loops that did; of others, of all loops with an LKG: what training alone does.",
    ),
}
