"""What chance alone does: A/A comparisons counted, and how much of the spread each kind of seed makes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psa_tui.analysis.comparison import TOLERANCE
from psa_tui.analysis.frames import cell_rows
from psa_tui.analysis.statistics.seed_variance import split_variance
from psa_tui.method.variants import ordered
from psa_tui.studies.seeds import crossed

if TYPE_CHECKING:
    import numpy as np
    from pandas import DataFrame

    Array = np.ndarray[Any, np.dtype[Any]]

_LEVEL = 0.05


def chance_table(placebos: DataFrame) -> DataFrame:
    """Count what ``placebo_table`` shows, a row for each A/A comparison.

    Columns: ``contrast``, ``design``, ``shapes``, ``noisy`` (shapes whose trials differ at all); pooled ``difference``,
    ``low``, ``high`` and ``p``; of the noisy shapes ``significant`` (p below 0.05) with ``share``, ``share_low``,
    ``share_high`` (exact 95 % interval: Clopper and Pearson, 1934), ``median_gap`` (the median of the absolute
    differences) and ``beyond`` (further apart than the publishers' two points). NaN where no shape is noisy.
    """
    import pandas as pd
    from scipy.stats import binomtest

    rows, nan = [], float("nan")
    for contrast, its in placebos.groupby("contrast", sort=False):
        pooled = its[its["architecture"].isna()].iloc[0]
        single = its[its["architecture"].notna() & its["low"].notna()]
        count, gaps = int((single["p"] < _LEVEL).sum()), single["difference"].abs()
        exact = binomtest(count, len(single)).proportion_ci() if len(single) else None
        row = {"contrast": contrast} | {name: pooled[name] for name in ("design", "shapes")}
        row |= {"noisy": len(single)} | {name: pooled[name] for name in ("difference", "low", "high", "p")}
        row |= {
            "significant": count,
            "share": count / len(single) if exact else nan,
            "share_low": exact.low if exact else nan,
            "share_high": exact.high if exact else nan,
            "median_gap": float(gaps.median()),
            "beyond": int((gaps > TOLERANCE).sum()),
        }
        rows.append(row)
    return pd.DataFrame(rows, columns=_COLUMNS)


def seed_table(trials: DataFrame, values: Array) -> DataFrame:
    """Split the variance of each mode's trials, where first weights and order have seeds of their own.

    The trials of a cell fill a square of first weights by orders (``crossed``); the largest that is whole is split, and
    components are added over shapes. Columns: ``mode``, ``shapes``, ``trials`` (of a shape), ``initialisation``,
    ``order``, ``rest`` (shares of the sum), ``std`` (the root of that sum over the number of shapes).
    """
    import numpy as np
    import pandas as pd

    numbers, rows = trials["trial"].to_numpy(), []
    cells = cell_rows(trials)
    for mode in ordered(trials["mode"].unique()):
        grids = [grid for (_, other), at in cells.items() if other == mode and (grid := _grid(numbers[at], values[at]))]
        sizes = {len(grid) for grid in grids}
        if not grids:
            continue
        parts = np.sum([split_variance(np.array(grid)) for grid in grids], axis=0)
        total = float(parts.sum())
        shares = parts / total if total else np.full(3, np.nan)
        names = ("initialisation", "order", "rest")
        row = {"mode": mode, "shapes": len(grids), "trials": min(sizes) ** 2}
        rows.append(row | dict(zip(names, shares.tolist(), strict=True)) | {"std": (total / len(grids)) ** 0.5})
    return pd.DataFrame(rows, columns=["mode", "shapes", "trials", "initialisation", "order", "rest", "std"])


def _grid(numbers: Array, values: Array) -> list[list[float]]:
    """Return the largest whole square [first weights, orders] of two or more a side; empty where there is none."""
    known = {crossed(int(number)): float(value) for number, value in zip(numbers, values, strict=True)}
    side = 1
    while all((row, column) in known for row in range(1, side + 2) for column in range(1, side + 2)):
        side += 1
    if side < 2:
        return []
    return [[known[row, column] for column in range(1, side + 1)] for row in range(1, side + 1)]


_COLUMNS = [
    *("contrast", "design", "shapes", "noisy", "difference", "low", "high", "p"),
    *("significant", "share", "share_low", "share_high", "median_gap", "beyond"),
]
