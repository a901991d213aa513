"""Two sources cell by cell, and the ablative and further modes of one source against its control.

Accuracies are compared as fractions. The interval of a difference is Welch's (no equal variances assumed); the
Mann-Whitney test asks whether one source's trials tend to be larger, and
Holm's step-down correction holds over all cells tested together. What cannot be computed (an interval from a
single trial, or from trials without any spread) is NaN.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from psa_tui.analysis.frames import PUBLISHED_MODES, cell_percentages, cell_rows, shown_architectures
from psa_tui.analysis.regimes import classify
from psa_tui.analysis.shapes import Size, shape_sizes, with_sizes
from psa_tui.analysis.summary import incomplete_shapes
from psa_tui.method.variants import NONE, describe_variant, ordered

if TYPE_CHECKING:
    import numpy as np
    from pandas import DataFrame

    Array = np.ndarray[Any, np.dtype[Any]]
    _Cell = tuple[Array, float]
    _Pair = tuple[str, str, _Cell | None, _Cell | None]

CONTROL = NONE.name
TOLERANCE = 0.02
"""The published study's own criterion of a reproduction: each cell's mean within two percentage points."""
_EXACT = 1e-12
_EXACT_UP_TO = 60
SELECTION = (
    "Promotion keeps only what improves on the validation images, so each of these accuracies is the best of all its "
    "trial's meta-loops, selected on the images it is measured on: it is biased upwards, and modes that vary more gain "
    "more by it. Test accuracy, which decides nothing, stands beside it where it was measured."
)


def compare_sources(ours: DataFrame, theirs: DataFrame) -> DataFrame:
    """Set every cell that either source has side by side, ours and theirs.

    Columns: ``architecture``, ``depth``, ``width``, ``parameters``, ``mode``; ``n_a``, ``n_b``; ``mean_a``, ``mean_b``
    (and ``mean_a_pct``, ``mean_b_pct``: percentages, rounded as in the summary); ``difference`` (ours - theirs) with
    its 95 % interval ``low``, ``high``; ``p`` (Mann-Whitney, two-sided) and ``p_holm``; ``within`` (the means differ
    by at most ``TOLERANCE``; None where a source lacks the cell); ``test_a``, ``test_b`` (mean test accuracies).
    Fractions; NaN where it cannot be computed.
    """
    a, b = _cells(ours), _cells(theirs)
    modes = ordered(mode for _, mode in (*a, *b))
    pairs = [
        (architecture, mode, a.get((architecture, mode)), b.get((architecture, mode)))
        for architecture in dict.fromkeys([*shown_architectures(ours), *shown_architectures(theirs)])
        for mode in modes
        if (architecture, mode) in a or (architecture, mode) in b
    ]
    table = _compared(pairs, _sizes(theirs) | _sizes(ours))
    gap = table["difference"].abs()
    table["within"] = (gap <= TOLERANCE + _EXACT).astype("object").where(gap.notna(), None)
    return table


def compare_with_control(trials: DataFrame) -> DataFrame:
    """Compare the modes of ``compared_modes`` with mode ``none``, shape by shape, within one source.

    Columns: those of ``compare_sources`` (a is the mode, b the control) without ``within``, and two effect
    sizes: ``cliffs_delta`` (the share of pairs of trials in which the mode's is better, minus the share in which
    it is worse; Cliff, 1993) and ``hedges_g`` (the difference in pooled standard deviations, corrected for
    small samples; Hedges, 1981; NaN without spread).
    """
    cells = _cells(trials)
    modes = compared_modes(trials)
    pairs = [
        (architecture, mode, cells[architecture, mode], cells[architecture, CONTROL])
        for architecture in shown_architectures(trials)
        for mode in modes
        if (architecture, mode) in cells and (architecture, CONTROL) in cells
    ]
    table = _compared(pairs, _sizes(trials))
    table["cliffs_delta"] = [cliffs_delta(a[0], b[0]) for *_, a, b in pairs]
    table["hedges_g"] = [hedges_g(a[0], b[0]) for *_, a, b in pairs]
    return table


def compared_modes(trials: DataFrame) -> tuple[str, ...]:
    """Return the modes that are compared with the control: ablative ones, and all further ones."""
    return tuple(
        mode
        for mode in ordered(trials["mode"].unique())
        if mode not in PUBLISHED_MODES or describe_variant(mode).ablates
    )


def has_further_modes(trials: DataFrame) -> bool:
    """Whether modes are compared with the control that are none of the published study."""
    return not set(trials["mode"].unique()) <= set(PUBLISHED_MODES)


def compare_regimes(
    ours: DataFrame, theirs: DataFrame, zero_r: float | None = None, their_zero_r: float | None = None
) -> DataFrame:
    """Set the regimes of the shapes that both sources have side by side.

    Columns: ``architecture``, ``regime_a``, ``regime_b``, ``agree`` (None where a regime is unknown, or trials that
    a regime needs are missing).
    """
    a = classify(ours, zero_r)[["architecture", "regime"]]
    b = classify(theirs, their_zero_r)[["architecture", "regime"]]
    table = a.merge(b, on="architecture", suffixes=("_a", "_b"))
    incomplete = incomplete_shapes(ours) | incomplete_shapes(theirs)
    known = table["regime_a"].notna() & table["regime_b"].notna() & ~table["architecture"].isin(incomplete)
    table["agree"] = (table["regime_a"] == table["regime_b"]).astype("object").where(known, None)
    return table


def cliffs_delta(a: Array, b: Array) -> float:
    """Return P(a > b) - P(a < b) over all pairs: 1 when every value of ``a`` is larger than every value of ``b``."""
    import numpy as np

    return float(np.sign(np.subtract.outer(a, b)).mean())


def hedges_g(a: Array, b: Array) -> float:
    """Return the difference of means in pooled standard deviations, times 1 - 3 / (4 (n_a + n_b) - 9).

    NaN without spread.
    """
    import numpy as np

    freedom = len(a) + len(b) - 2
    if freedom < 1 or min(len(a), len(b)) < 2:
        return float("nan")
    pooled = np.sqrt(((len(a) - 1) * a.var(ddof=1) + (len(b) - 1) * b.var(ddof=1)) / freedom)
    if pooled < _EXACT:
        return float("nan")
    return float((a.mean() - b.mean()) / pooled * (1 - 3 / (4 * (len(a) + len(b)) - 9)))


def welch_interval(a: Array, b: Array, level: float = 0.95) -> tuple[float, float]:
    """Return the interval of mean(a) - mean(b) by Welch's t and the Welch-Satterthwaite degrees of freedom.

    NaN when a sample has one value, or when neither has any spread.
    """
    import numpy as np
    from scipy.special import stdtrit

    if min(len(a), len(b)) < 2 or max(np.ptp(a), np.ptp(b)) < _EXACT:
        return float("nan"), float("nan")
    parts = np.array([a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)])
    freedom = parts.sum() ** 2 / (parts**2 / (len(a) - 1, len(b) - 1)).sum()
    reach = stdtrit(freedom, (1 + level) / 2) * np.sqrt(parts.sum())
    difference = a.mean() - b.mean()
    return float(difference - reach), float(difference + reach)


def mann_whitney(a: Array, b: Array) -> float:
    """Return the two-sided p-value of the Mann-Whitney test, exact for up to ``_EXACT_UP_TO`` values, ties or not.

    The exact one counts in how many of the ways to choose len(a) of the (mid)ranks their sum is at least as far
    from its expectation as the sum found (the shift algorithm: Streitberg and Roehmel, 1986). Accuracies tie often,
    and SciPy's approximation for ties never goes below 0.0001 for ten values against ten. 1 when all are equal.
    """
    import numpy as np
    from scipy import stats

    ranks = stats.rankdata(np.concatenate([a, b]))
    if len(ranks) > _EXACT_UP_TO:
        if np.ptp(ranks) == 0:
            return 1.0
        return float(stats.mannwhitneyu(a, b, alternative="two-sided", method="asymptotic").pvalue)
    doubled = (2 * ranks).astype(int)
    ways = _ways_of_sums(tuple(sorted(doubled.tolist())), len(a))
    expected = len(a) * (len(ranks) + 1)
    distance = np.abs(np.arange(len(ways)) - expected)
    found = abs(int(doubled[: len(a)].sum()) - expected)
    return float(ways[distance >= found].sum() / ways.sum())


@lru_cache(maxsize=256)
def _ways_of_sums(ranks: tuple[int, ...], count: int) -> Array:
    """Return in how many ways ``count`` of ``ranks`` have each sum: [largest sum + 1]."""
    import numpy as np

    ways = np.zeros((count + 1, sum(ranks) + 1))
    ways[0, 0] = 1
    for rank in ranks:
        ways[1:, rank:] += ways[:-1, :-rank]
    counted: Array = ways[-1]
    return counted


def _cells(trials: DataFrame) -> dict[tuple[str, str], _Cell]:
    """Return each cell's best validation accuracies (percent), and its mean test accuracy where it was measured."""
    accuracies = cell_percentages(trials)
    tests = trials["test_accuracy"].to_numpy(dtype=float)
    return {cell: (accuracies[cell], _mean(tests[rows])) for cell, rows in cell_rows(trials).items()}


def _mean(values: Array) -> float:
    """Return the mean of what is not NaN; NaN where nothing is left."""
    known = values[values == values]
    return float(known.mean()) if len(known) else float("nan")


def _sizes(trials: DataFrame) -> dict[str, Size]:
    return shape_sizes(trials, shown_architectures(trials))


def _compared(pairs: Sequence[_Pair], sizes: Mapping[str, Size]) -> DataFrame:
    import pandas as pd

    nan = float("nan")
    rows = []
    for architecture, mode, a, b in pairs:
        row: dict[str, Any] = {
            "architecture": architecture,
            "mode": mode,
            "n_a": 0 if a is None else len(a[0]),
            "n_b": 0 if b is None else len(b[0]),
        }
        for name, cell in (("mean_a", a), ("mean_b", b)):
            mean_pct = nan if cell is None else float(cell[0].mean())
            row |= {name: mean_pct / 100, f"{name}_pct": round(mean_pct, 2)}
        low, high = (nan, nan) if a is None or b is None else welch_interval(a[0], b[0])
        row |= {"difference": row["mean_a"] - row["mean_b"], "low": low / 100, "high": high / 100}
        row["p"] = nan if a is None or b is None else mann_whitney(a[0], b[0])
        row["p_holm"] = nan
        row["test_a"] = nan if a is None else a[1]
        row["test_b"] = nan if b is None else b[1]
        rows.append(row)
    table = with_sizes(pd.DataFrame(rows, columns=_COLUMNS), sizes)
    tested = table["p"].notna()
    if tested.any():
        from statsmodels.stats.multitest import multipletests

        table.loc[tested, "p_holm"] = multipletests(table.loc[tested, "p"], method="holm")[1]
    return table


_COLUMNS = [
    "architecture",
    "mode",
    "n_a",
    "n_b",
    "mean_a",
    "mean_b",
    "mean_a_pct",
    "mean_b_pct",
    "difference",
    "low",
    "high",
    "p",
    "p_holm",
    "test_a",
    "test_b",
]
