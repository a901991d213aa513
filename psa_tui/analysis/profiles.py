"""What each mode's trials come to over many shapes: aggregates that a few wild trials do not move, and profiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psa_tui.analysis.comparison import CONTROL
from psa_tui.analysis.frames import cell_rows, shown_architectures
from psa_tui.analysis.statistics.aggregates import (
    expected_maximum,
    interquartile_mean,
    mean_interval,
    performance_profile,
    probability_of_improvement,
    resampled,
)
from psa_tui.method.variants import ordered

if TYPE_CHECKING:
    import numpy as np
    from pandas import DataFrame

    Array = np.ndarray[Any, np.dtype[Any]]

BUDGETS = (1, 3, 10)
"""Numbers of trials of which the best is taken."""
_LEVEL = 0.95


def samples(trials: DataFrame, values: Array) -> dict[str, list[Array]]:
    """Return each mode's values, a list with those of each shape that has trials of all modes."""
    rows = cell_rows(trials)
    modes = ordered(trials["mode"].unique())
    shapes = [name for name in shown_architectures(trials) if all((name, mode) in rows for mode in modes)]
    return {mode: [values[rows[name, mode]] for name in shapes] for mode in modes if shapes}


def aggregate_table(found: dict[str, list[Array]]) -> DataFrame:
    """Summarise each mode of ``samples``, every trial of the same weight, in the mean every shape.

    Columns: ``mode``, ``shapes``, ``n``; ``mean``, ``median``, ``iqm`` (mean of the middle half), each with a 95 %
    interval (``mean_low``, ``mean_high``, ...): by ``mean_interval`` within 0 and 1, and a percentile bootstrap within
    shapes for the others; ``improvement`` (the chance to beat one
    of none of the same shape) with its interval; ``best_of_1``, ... for ``BUDGETS`` (the expected best of so many
    trials, the mean over shapes; NaN for more than there are). Fractions.
    """
    import numpy as np
    import pandas as pd

    measures = {"median": _median, "iqm": interquartile_mean}
    rows = []
    for mode, sample in found.items():
        together, drawn = np.concatenate(sample), resampled(sample)
        low, high = np.clip(mean_interval(sample), 0, 1)
        row: dict[str, Any] = {"mode": mode, "shapes": len(sample), "n": len(together)}
        row |= {"mean": float(np.mean([one.mean() for one in sample]))}
        row |= {"mean_low": float(low), "mean_high": float(high)}
        for name, measure in measures.items():
            low, high = np.quantile(measure(drawn), ((1 - _LEVEL) / 2, (1 + _LEVEL) / 2))
            row |= {name: float(measure(together)), f"{name}_low": float(low), f"{name}_high": float(high)}
        beats = (float("nan"),) * 3
        if mode != CONTROL and CONTROL in found:
            beats = probability_of_improvement(list(zip(sample, found[CONTROL], strict=True)))
        row |= dict(zip(("improvement", "improvement_low", "improvement_high"), beats, strict=True))
        fewest = min(map(len, sample))
        best = np.mean([expected_maximum(one, np.array(BUDGETS)) for one in sample], axis=0)
        for budget, value in zip(BUDGETS, best, strict=True):
            row[f"best_of_{budget}"] = float(value) if budget <= fewest else float("nan")
        rows.append(row)
    return pd.DataFrame(rows)


def profile_table(found: dict[str, list[Array]], levels: Array) -> DataFrame:
    """Return the share of each mode's trials above each level, with its 95 % interval.

    Columns: ``mode``, ``level``, ``share``, ``low``, ``high``. Fractions.
    """
    import pandas as pd

    columns = ("share", "low", "high")
    tables = [
        pd.DataFrame(
            {"mode": mode, "level": levels} | dict(zip(columns, performance_profile(sample, levels), strict=True))
        )
        for mode, sample in found.items()
    ]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=["mode", "level", *columns])


def _median(values: Array) -> Array:
    import numpy as np

    middle: Array = np.median(values, axis=-1)
    return middle
