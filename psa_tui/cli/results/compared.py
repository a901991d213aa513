"""Comparisons on the screen: a line a cell, then what they amount to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psa_tui.analysis import comparison
from psa_tui.cli.output import print_note
from psa_tui.cli.results.presenting import (
    NO_NUMBER,
    described,
    pct,
    print_json,
    print_paragraph,
    print_rows,
    probability,
)
from psa_tui.errors import ConfigError

if TYPE_CHECKING:
    from pandas import DataFrame


def show_sources(ours: DataFrame, theirs: DataFrame, zero_r: float | None, *, as_json: bool) -> None:
    """Ours beside theirs: cells that both have, then totals, regimes and what selection does to both."""
    cells = comparison.compare_sources(ours, theirs)
    try:
        regimes = comparison.compare_regimes(ours, theirs, zero_r)
    except ConfigError as error:
        print_note(f"no regimes: {error}")
        regimes = None
    if as_json:
        about = {"ours": described(ours), "theirs": described(theirs), "selection": comparison.SELECTION}
        print_json(about, cells=cells, **({} if regimes is None else {"regimes": regimes}))
        return
    both = cells[cells["within"].notna()]
    rows = [
        [
            row.architecture,
            row.mode,
            f"{row.n_a}/{row.n_b}",
            _mean(row.mean_a_pct),
            _mean(row.mean_b_pct),
            *_difference(row),
            "yes" if row.within else "NO",
            pct(row.test_a),
        ]
        for row in both.itertuples()
    ]
    print_paragraph(f"ours: {_named(ours)}; theirs: {_named(theirs)}")
    print_rows(["shape", "mode", "n", "ours", "theirs", "diff", "95 % ±", "p Holm", "<= 2", "test"], rows, words=2)
    near, significant = int(both["within"].astype(bool).sum()), int((both["p_holm"] < 0.05).sum())
    print_paragraph(f"{near} of {len(both)} cells within 2 points; {significant} differ (p < 0.05 after Holm)")
    for n, owner in ((int((cells["n_b"] == 0).sum()), "ours"), (int((cells["n_a"] == 0).sum()), "theirs")):
        if n:
            print_paragraph(f"{n} cells only in {owner}")
    if regimes is not None:
        _print_regimes(regimes)
    print_paragraph(comparison.SELECTION)


def show_control(trials: DataFrame, *, as_json: bool) -> None:
    """The ablative modes beside the control."""
    cells = comparison.compare_with_control(trials)
    if as_json:
        print_json(described(trials) | {"selection": comparison.SELECTION}, cells=cells)
        return
    rows = [
        [
            row.architecture,
            row.mode,
            f"{row.n_a}/{row.n_b}",
            _mean(row.mean_a_pct),
            _mean(row.mean_b_pct),
            *_difference(row),
            _number(row.cliffs_delta),
            _number(row.hedges_g),
            pct(row.test_a - row.test_b, "+.2f"),
        ]
        for row in cells.itertuples()
    ]
    print_paragraph(f"{_named(trials)}: ablative modes against none")
    columns = ["shape", "mode", "n", "mean", "none", "diff", "95 % ±", "p Holm", "delta", "g", "test diff"]
    print_rows(columns, rows, words=2)
    better, worse = ((cells["p_holm"] < 0.05) & (cells["difference"] * sign > 0) for sign in (1, -1))
    print_paragraph(
        f"{len(cells)} cells: {int(better.sum())} better than none, {int(worse.sum())} worse (p < 0.05 after Holm); "
        "delta: Cliff's, from -1 to 1; g: Hedges'; test diff: difference of mean test accuracies"
    )
    if trials["seed"].notna().any():
        print_paragraph(
            "The modes of a trial share its seed; interval and test take them as independent, which is cautious where "
            "they rise and fall together."
        )
    print_paragraph(comparison.SELECTION)


def _difference(row: Any) -> list[str]:
    return [pct(row.difference, "+.2f"), pct((row.high - row.low) / 2), probability(row.p_holm)]


def _mean(percentage: float) -> str:
    return NO_NUMBER if percentage != percentage else f"{percentage:.2f}"


def _number(value: float) -> str:
    return NO_NUMBER if value != value else f"{value:+.2f}"


def _named(trials: DataFrame) -> str:
    from psa_tui.analysis.summary import NOT_A_REPRODUCTION
    from psa_tui.cli.results.presenting import other_data

    quick = f" ({NOT_A_REPRODUCTION})" if trials.attrs["quick"] else ""
    return f"{trials.attrs['source']} {trials.attrs['study']}{quick}{other_data(trials)}"


def _print_regimes(regimes: DataFrame) -> None:
    known = regimes[regimes["agree"].notna()]
    other = known[~known["agree"].astype(bool)]
    unknown = len(regimes) - len(known)
    missing = f"; {unknown} shapes lack modes or trials" if unknown else ""
    print_paragraph(f"regimes: {len(known) - len(other)} of {len(known)} shapes agree{missing}")
    if len(other):
        rows = [[row.architecture, row.regime_a, row.regime_b] for row in other.itertuples()]
        print_rows(["shape", "our regime", "their regime"], rows, words=3)
