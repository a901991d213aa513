"""Comparisons as text: a line a cell, then what they amount to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from psa_tui.analysis.comparison import CONTROL, SELECTION, has_further_modes
from psa_tui.analysis.text_tables import Text, TextTable, about, number, percentage, probability

if TYPE_CHECKING:
    from pandas import DataFrame


def sources_text(ours: DataFrame, theirs: DataFrame, cells: DataFrame, regimes: DataFrame | None) -> Iterator[Text]:
    """Show ours beside theirs: cells that both have, then totals, regimes and what selection does to both.

    Args:
        ours: a table of trials.
        theirs: the trials it is compared with.
        cells: ``compare_sources`` of both.
        regimes: ``compare_regimes`` of both; None where they are not known.
    """
    both = cells[cells["within"].notna()]
    rows = [
        [
            row.architecture,
            row.mode,
            f"{row.n_a}/{row.n_b}",
            number(row.mean_a_pct, ".2f"),
            number(row.mean_b_pct, ".2f"),
            *_difference(row),
            "yes" if row.within else "NO",
            percentage(row.test_a),
        ]
        for row in both.itertuples()
    ]
    yield f"ours: {_named(ours)}; theirs: {_named(theirs)}"
    yield TextTable(["shape", "mode", "n", "ours", "theirs", "diff", "95 % ±", "p Holm", "<= 2", "test"], rows, 2)
    near, significant = int(both["within"].astype(bool).sum()), int((both["p_holm"] < 0.05).sum())
    yield f"{near} of {len(both)} cells within 2 points; {significant} differ (p < 0.05 after Holm)"
    for n, owner in ((int((cells["n_b"] == 0).sum()), "ours"), (int((cells["n_a"] == 0).sum()), "theirs")):
        if n:
            yield f"{n} cells only in {owner}"
    if regimes is not None:
        yield from _regimes_text(regimes)
    yield SELECTION


def control_text(trials: DataFrame, cells: DataFrame) -> Iterator[Text]:
    """Show ``compare_with_control`` of ``trials``: the modes beside the control."""
    rows = [
        [
            row.architecture,
            row.mode,
            f"{row.n_a}/{row.n_b}",
            number(row.mean_a_pct, ".2f"),
            number(row.mean_b_pct, ".2f"),
            *_difference(row),
            number(row.cliffs_delta, "+.2f"),
            number(row.hedges_g, "+.2f"),
            percentage(row.test_a - row.test_b, "+.2f"),
        ]
        for row in cells.itertuples()
    ]
    modes = "ablative and further modes" if has_further_modes(trials) else "ablative modes"
    yield f"{_named(trials)}: {modes} against {CONTROL}"
    columns = ["shape", "mode", "n", "mean", CONTROL, "diff", "95 % ±", "p Holm", "delta", "g", "test diff"]
    yield TextTable(columns, rows, 2)
    better, worse = ((cells["p_holm"] < 0.05) & (cells["difference"] * sign > 0) for sign in (1, -1))
    yield (
        f"{len(cells)} cells: {int(better.sum())} better than {CONTROL}, {int(worse.sum())} worse (p < 0.05 after "
        "Holm); delta: Cliff's, from -1 to 1; g: Hedges'; test diff: difference of mean test accuracies"
    )
    if trials["seed"].notna().any():
        yield (
            "The modes of a trial share its seed; interval and test take them as independent, which is cautious where "
            "they rise and fall together."
        )
    yield SELECTION


def _regimes_text(regimes: DataFrame) -> Iterator[Text]:
    known = regimes[regimes["agree"].notna()]
    other = known[~known["agree"].astype(bool)]
    unknown = len(regimes) - len(known)
    missing = f"; {unknown} shapes lack modes or trials" if unknown else ""
    yield f"regimes: {len(known) - len(other)} of {len(known)} shapes agree{missing}"
    if len(other):
        rows = [[row.architecture, row.regime_a, row.regime_b] for row in other.itertuples()]
        yield TextTable(["shape", "our regime", "their regime"], rows, 3)


def _difference(row: Any) -> list[str]:
    return [percentage(row.difference, "+.2f"), percentage((row.high - row.low) / 2), probability(row.p_holm)]


def _named(trials: DataFrame) -> str:
    return about(trials)
