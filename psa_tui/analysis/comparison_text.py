"""Comparisons as text: a line a cell, then what they amount to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from psa_tui.analysis.comparison import CONTROL, SELECTION, has_further_modes
from psa_tui.analysis.seeding import Design, seeding_words
from psa_tui.analysis.sources import PUBLISHED
from psa_tui.analysis.text_tables import NO_NUMBER, Text, TextTable, about, number, percentage, probability
from psa_tui.formatting import count

if TYPE_CHECKING:
    from pandas import DataFrame

PUBLISHED_SEEDS = (
    "The publishers' trials had no seeds: they are independent of ours and of one another, nothing is paired. Their "
    "decay is an A/A of their none (float32 loses a decay of 1e-4 x 1e-4): what lies between these two is chance."
)


def sources_text(
    ours: DataFrame, theirs: DataFrame, cells: DataFrame, regimes: DataFrame | None, pooled: DataFrame, margin: float
) -> Iterator[Text]:
    """Show ours beside theirs: cells that both have, then totals, regimes and what selection does to both.

    Args:
        ours: a table of trials.
        theirs: the trials it is compared with.
        cells: ``compare_sources`` of both.
        regimes: ``compare_regimes`` of both; None where they are not known.
        pooled: ``pooled_sources`` of both.
        margin: by which both were compared.
    """
    both = cells[cells["within"].notna()]
    rows = [
        [
            row.architecture,
            row.mode,
            f"{row.n_a}/{row.n_b}",
            number(row.mean_a_pct, ".2f"),
            number(row.mean_b_pct, ".2f"),
            *_difference(row, row.p_holm),
            percentage((row.joint_high - row.joint_low) / 2),
            NO_NUMBER if row.inside is None else "yes" if row.inside else "NO",
            "yes" if row.within else "NO",
            percentage(row.test_a),
        ]
        for row in both.itertuples()
    ]
    yield f"ours: {_named(ours)}; theirs: {_named(theirs)}"
    columns = ["shape", "mode", "n", "ours", "theirs", "diff", "95 % ±", "p Holm", "joint ±", "0 in", "<= 2", "test"]
    yield TextTable(columns, rows, 2)
    near, significant = int(both["within"].astype(bool).sum()), int((both["p_holm"] < 0.05).sum())
    yield f"{near} of {len(both)} cells within 2 points; {significant} differ (p < 0.05 after Holm)"
    for n, owner in ((int((cells["n_b"] == 0).sum()), "ours"), (int((cells["n_a"] == 0).sum()), "theirs")):
        if n:
            yield f"{n} cells only in {owner}"
    yield from _together(both, pooled, margin)
    paired = (both["design"] == Design.PAIRED).any()
    seeds = "the same seeds, trial by trial: pairs are compared" if paired else "seeds of their own: independent trials"
    yield f"Both have {seeds}. {design_words(both)}"
    if theirs.attrs.get("source") == PUBLISHED and ours.attrs.get("source") != PUBLISHED:
        yield PUBLISHED_SEEDS
    if regimes is not None:
        yield from _regimes_text(regimes)
    yield SELECTION


def _together(both: DataFrame, pooled: DataFrame, margin: float) -> Iterator[str]:
    """Say what all cells together amount to, beside the rule of two points."""
    known = both[both["inside"].notna()]
    if len(known):
        inside = int(known["inside"].astype(bool).sum())
        yield (
            f"{inside} of {len(known)} cells ({inside / len(known):.0%}): 0 lies in the joint interval; in 95 of 100 "
            "such comparisons all joint intervals hold the true differences at once"
        )
    found = pooled.iloc[0]
    if found["difference"] == found["difference"]:
        shown = "shown" if found["p_equivalent"] < 0.05 else "not shown"
        yield (
            f"pooled over {count(found['shapes'], 'shape')} ({count(found['cells'], 'cell')}): ours - theirs "
            f"{percentage(found['difference'], '+.2f')} points, 95 % interval {percentage(found['low'], '+.2f')} to "
            f"{percentage(found['high'], '+.2f')}; smaller than "
            f"{100 * margin:g} points: {shown} (TOST p {probability(found['p_equivalent'])})"
        )


def design_words(cells: DataFrame) -> str:
    """Name the interval and the test of a comparison of cells."""
    if (cells["design"] == Design.PAIRED).any():
        return "Interval: Student's t of pairs; p: signs of pairs flipped at random."
    return "Interval: Welch's t; p: Mann-Whitney."


def control_text(trials: DataFrame, cells: DataFrame) -> Iterator[Text]:
    """Show ``compare_with_control`` of ``trials``: the modes beside the control."""
    rows = [
        [
            row.architecture,
            row.mode,
            f"{row.n_a}/{row.n_b}",
            number(row.mean_a_pct, ".2f"),
            number(row.mean_b_pct, ".2f"),
            *_difference(row, row.p_bh),
            number(row.cliffs_delta, "+.2f"),
            number(row.hedges_g, "+.2f"),
            percentage(row.test_a - row.test_b, "+.2f"),
        ]
        for row in cells.itertuples()
    ]
    modes = "ablative and further modes" if has_further_modes(trials) else "ablative modes"
    yield f"{_named(trials)}: {modes} against {CONTROL}"
    columns = ["shape", "mode", "n", "mean", CONTROL, "diff", "95 % ±", "p BH", "delta", "g", "test diff"]
    yield TextTable(columns, rows, 2)
    better, worse = ((cells["p_bh"] < 0.05) & (cells["difference"] * sign > 0) for sign in (1, -1))
    yield (
        f"{len(cells)} cells: {int(better.sum())} better than {CONTROL}, {int(worse.sum())} worse (p < 0.05 after "
        "Benjamini and Hochberg: exploratory); delta: Cliff's, from -1 to 1; g: Hedges'; test diff: difference of "
        "mean test accuracies"
    )
    yield f"{seeding_words(trials)} {design_words(cells)}"
    yield SELECTION


def _regimes_text(regimes: DataFrame) -> Iterator[Text]:
    known = regimes[regimes["agree"].notna()]
    other = known[~known["agree"].astype(bool)]
    unknown = len(regimes) - len(known)
    missing = f"; {count(unknown, 'shape')} without all modes or trials" if unknown else ""
    yield ""
    yield f"regimes: {len(known) - len(other)} of {count(len(known), 'shape')} alike{missing}"
    if len(other):
        rows = [[row.architecture, row.regime_a, row.regime_b] for row in other.itertuples()]
        yield TextTable(["shape", "our regime", "their regime"], rows, 3)


def _difference(row: Any, p: float) -> list[str]:
    return [percentage(row.difference, "+.2f"), percentage((row.high - row.low) / 2), probability(p)]


def _named(trials: DataFrame) -> str:
    return about(trials)
