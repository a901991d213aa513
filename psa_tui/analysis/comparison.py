"""Two sources cell by cell, and the ablative and further modes of one source against its control.

Accuracies are compared as fractions. Where trials share seeds, pairs of them are compared: Student's t for the interval
of the difference, flipped signs for p. Elsewhere the interval is Welch's (no equal variances assumed), and the
Mann-Whitney test asks whether one source's trials tend to be larger. Holm's step-down correction holds over all cells
tested together. What cannot be computed (an interval from a single trial, or from trials without any spread) is NaN.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from psa_tui.analysis.frames import PUBLISHED_MODES, cell_percentages, cell_rows, shown_architectures
from psa_tui.analysis.regimes import classify
from psa_tui.analysis.seeding import Design, design_between, design_within
from psa_tui.analysis.shapes import Size, shape_sizes, with_sizes
from psa_tui.analysis.statistics.differences import Difference, independent_difference, paired_difference
from psa_tui.analysis.statistics.multiplicity import benjamini_hochberg, holm
from psa_tui.analysis.statistics.permutation import sign_flip
from psa_tui.analysis.statistics.two_samples import cliffs_delta, hedges_g, mann_whitney
from psa_tui.analysis.summary import incomplete_shapes
from psa_tui.method.variants import NONE, describe_variant, ordered

if TYPE_CHECKING:
    import numpy as np
    from pandas import DataFrame

    Array = np.ndarray[Any, np.dtype[Any]]
    _Pair = tuple[str, str, "_Cell | None", "_Cell | None"]

CONTROL = NONE.name
TOLERANCE = 0.02
"""The published study's own criterion of a reproduction: each cell's mean within two percentage points."""
_EXACT = 1e-12
SELECTION = (
    "Promotion keeps only what improves on the validation images, so each of these accuracies is the best of all its "
    "trial's meta-loops, selected on the images it is measured on: it is biased upwards, and modes that vary more gain "
    "more by it. Test accuracy, which decides nothing, stands beside it where it was measured."
)


class _Cell(NamedTuple):
    """Trials of one shape and mode."""

    values: Array
    """Best validation accuracies, percent."""
    trials: Array
    """Their numbers."""
    test: float
    """The mean test accuracy, a fraction; NaN where it was not measured."""


def compare_sources(ours: DataFrame, theirs: DataFrame, margin: float = TOLERANCE) -> DataFrame:
    """Set every cell that either source has side by side, ours and theirs.

    Columns: ``architecture``, ``depth``, ``width``, ``parameters``, ``mode``; ``n_a``, ``n_b``; ``mean_a``, ``mean_b``
    (and ``mean_a_pct``, ``mean_b_pct``: percentages, rounded as in the summary); ``design`` ("paired" or
    "independent"); ``difference`` (ours - theirs, of pairs where they are paired) with its 95 % interval ``low``,
    ``high``; ``p`` (two-sided) and ``p_holm``; ``p_equivalent`` (TOST: that the difference is ``margin`` or more);
    ``test_a``, ``test_b`` (mean test accuracies); ``joint_low``, ``joint_high`` (intervals that hold all true
    differences at once in 95 of 100 cases: Bonferroni's); ``inside`` (whether the joint interval holds 0; without any
    spread, whether the means are the same); ``within`` (the means differ by at most ``TOLERANCE``; None where a source
    lacks the cell). Fractions; NaN or None where it cannot be computed.
    """
    a, b = _cells(ours), _cells(theirs)
    modes = ordered(mode for _, mode in (*a, *b))
    pairs = [
        (architecture, mode, a.get((architecture, mode)), b.get((architecture, mode)))
        for architecture in dict.fromkeys([*shown_architectures(ours), *shown_architectures(theirs)])
        for mode in modes
        if (architecture, mode) in a or (architecture, mode) in b
    ]
    table = _compared(pairs, _sizes(theirs) | _sizes(ours), design_between(ours, theirs), margin, joint=True)
    gap = (table["mean_a"] - table["mean_b"]).abs()
    table["within"] = (gap <= TOLERANCE + _EXACT).astype("object").where(gap.notna(), None)
    return table


def compare_with_control(trials: DataFrame) -> DataFrame:
    """Compare the modes of ``compared_modes`` with mode ``none``, shape by shape, within one source.

    Columns: those of ``compare_sources`` (a is the mode, b the control) without the joint interval, ``inside`` and
    ``within``; ``p_bh`` (after Benjamini and Hochberg), because ten pairs have no p below 0.002, of which Holm's
    correction over a hundred cells leaves nothing; and two effect sizes: ``cliffs_delta`` (the share of pairs of trials
    in which the mode's is better, minus the share in which it is worse; Cliff, 1993) and ``hedges_g`` (the difference
    in pooled standard deviations, corrected for small samples; Hedges, 1981; NaN without spread).
    """
    cells = _cells(trials)
    modes = compared_modes(trials)
    pairs = [
        (architecture, mode, cells[architecture, mode], cells[architecture, CONTROL])
        for architecture in shown_architectures(trials)
        for mode in modes
        if (architecture, mode) in cells and (architecture, CONTROL) in cells
    ]
    compared = trials[trials["mode"].isin((*modes, CONTROL))]
    table = _compared(pairs, _sizes(trials), design_within(compared), TOLERANCE)
    table["p_bh"] = benjamini_hochberg(table["p"].to_numpy(dtype=float))
    table["cliffs_delta"] = [cliffs_delta(a.values, b.values) for *_, a, b in pairs]
    table["hedges_g"] = [hedges_g(a.values, b.values) for *_, a, b in pairs]
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


def pooled_sources(ours: DataFrame, theirs: DataFrame, margin: float = TOLERANCE) -> DataFrame:
    """Return the mean over the shapes that both sources have of ours - theirs, every shape of the same weight: one row.

    A trial counts once, with the mean over the modes that its shape has in both sources: modes that share its seed rise
    and fall together, and are not so many findings. A trial that lacks one of these modes is left out.

    Columns: ``shapes``, ``cells``, ``design``, ``difference`` with its 95 % interval ``low``, ``high``,
    ``p_equivalent`` (TOST by ``margin``). Fractions; NaN where it cannot be computed.
    """
    import pandas as pd

    a, b, design, strata, cells = _cells(ours), _cells(theirs), design_between(ours, theirs), [], 0
    for architecture in dict.fromkeys(architecture for architecture, _ in a):
        modes = [mode for shape, mode in a if shape == architecture and (shape, mode) in b]
        if not modes:
            continue
        one, other = (_over_modes([side[architecture, mode] for mode in modes]) for side in (a, b))
        pair = _aligned(one, other, design)
        if min(map(len, pair)):
            strata.append(pair)
            cells += len(modes)
    found = _difference(strata, design)
    low, high = found.interval()
    row = {
        "shapes": len(strata),
        "cells": cells,
        "design": str(design),
        "difference": found.value / 100,
        "low": low / 100,
        "high": high / 100,
        "p_equivalent": found.equivalence(100 * margin),
    }
    return pd.DataFrame([row])


def _over_modes(cells: Sequence[_Cell]) -> _Cell:
    """Return the mean over ``cells`` of each trial that all of them have."""
    import pandas as pd

    wide = pd.concat([pd.Series(cell.values, index=cell.trials) for cell in cells], axis=1, join="inner")
    return _Cell(wide.mean(axis=1).to_numpy(), wide.index.to_numpy(), float("nan"))


def _cells(trials: DataFrame) -> dict[tuple[str, str], _Cell]:
    accuracies, numbers = cell_percentages(trials), trials["trial"].to_numpy()
    tests = trials["test_accuracy"].to_numpy(dtype=float)
    return {
        cell: _Cell(accuracies[cell], numbers[rows], _mean(tests[rows])) for cell, rows in cell_rows(trials).items()
    }


def _mean(values: Array) -> float:
    """Return the mean of what is not NaN; NaN where nothing is left."""
    known = values[values == values]
    return float(known.mean()) if len(known) else float("nan")


def _sizes(trials: DataFrame) -> dict[str, Size]:
    return shape_sizes(trials, shown_architectures(trials))


def _aligned(a: _Cell, b: _Cell, design: Design) -> tuple[Array, Array]:
    """Return the values of both; of paired ones those of the trials of both, in one order."""
    import numpy as np

    if design is Design.INDEPENDENT:
        return a.values, b.values
    _, at_a, at_b = np.intersect1d(a.trials, b.trials, return_indices=True)
    return a.values[at_a], b.values[at_b]


def _difference(strata: Sequence[tuple[Array, Array]], design: Design) -> Difference:
    if design is Design.PAIRED:
        return paired_difference([a - b for a, b in strata])
    return independent_difference(strata)


def _compared(
    pairs: Sequence[_Pair], sizes: Mapping[str, Size], design: Design, margin: float, *, joint: bool = False
) -> DataFrame:
    import numpy as np
    import pandas as pd

    nan = float("nan")
    unknown = Difference(nan, nan, nan)
    rows, found = [], []
    for architecture, mode, a, b in pairs:
        row: dict[str, Any] = {
            "architecture": architecture,
            "mode": mode,
            "n_a": 0 if a is None else len(a.values),
            "n_b": 0 if b is None else len(b.values),
            "design": str(design),
        }
        for name, cell in (("mean_a", a), ("mean_b", b)):
            mean_pct = nan if cell is None else float(cell.values.mean())
            row |= {name: mean_pct / 100, f"{name}_pct": round(mean_pct, 2)}
        one, row["p"] = unknown, nan
        if a is not None and b is not None and len((pair := _aligned(a, b, design))[0]):
            one = _difference([pair], design)
            row["p"] = sign_flip(pair[0] - pair[1]) if design is Design.PAIRED else mann_whitney(*pair)
        low, high = one.interval()
        row |= {"difference": row["mean_a"] - row["mean_b"], "low": low / 100, "high": high / 100}
        if design is Design.PAIRED:
            row["difference"] = one.value / 100
        row["p_equivalent"] = one.equivalence(100 * margin)
        row["test_a"] = nan if a is None else a.test
        row["test_b"] = nan if b is None else b.test
        rows.append(row)
        found.append(one)
    table = with_sizes(pd.DataFrame(rows, columns=_COLUMNS), sizes)
    table["p_holm"] = holm(table["p"].to_numpy(dtype=float))
    if joint:
        tested = max(sum(one.error == one.error for one in found), 1)
        intervals = np.array([one.interval(1 - 0.05 / tested) for one in found]).reshape(-1, 2) / 100
        table["joint_low"], table["joint_high"] = intervals.T
        holds = (table["joint_low"] <= 0) & (table["joint_high"] >= 0)
        flat = table["joint_low"].isna() & (table[["n_a", "n_b"]].min(axis=1) > 1)
        holds = holds.astype("object").where(~flat, table["difference"].abs() < _EXACT)
        table["inside"] = holds.where(flat | table["joint_low"].notna(), None)
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
    "design",
    "difference",
    "low",
    "high",
    "p",
    "p_holm",
    "p_equivalent",
    "test_a",
    "test_b",
]
