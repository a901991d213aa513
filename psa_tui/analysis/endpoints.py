"""What is measured of a trial: accuracy, and whether it escaped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psa_tui.analysis.regimes import majority_class
from psa_tui.formatting import percent
from psa_tui.method.progress import ESCAPE_ABOVE_MAJORITY

if TYPE_CHECKING:
    import numpy as np
    from pandas import DataFrame

    Array = np.ndarray[Any, np.dtype[Any]]

_EXACT = 1e-9


VALIDATION = "validation"
"""The best of all meta-loops on the images that choose it: the published study's number."""
TEST = "test"
"""The accuracy of the last LKG on the test images, which decide nothing."""


@dataclass(frozen=True)
class Endpoint:
    """A value for each row of a table of trials, and what it is in words."""

    values: Array
    words: str
    remark: str = ""
    """What a reader must know of it."""
    is_escape: bool = False


def accuracy(trials: DataFrame, measure: str = VALIDATION) -> Endpoint:
    """Return the accuracy of each trial; validation, and a remark, where test accuracies are asked for and missing."""
    if measure == TEST and has_test_accuracies(trials):
        return Endpoint(trials["test_accuracy"].to_numpy(dtype=float), "test accuracy")
    remark = _FALLBACK if measure == TEST else ""
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
    found = accuracy(trials, TEST)
    values = (found.values > bar + _EXACT).astype(float)
    return Endpoint(values, f"escape ({found.words} above {percent(bar)})", found.remark, is_escape=True)


def has_test_accuracies(trials: DataFrame) -> bool:
    """Whether every trial has one."""
    return bool(trials["test_accuracy"].notna().all())


_FALLBACK = (
    "Test accuracies are missing here, so the best validation accuracy stands for them; it is selected, and too high."
)
