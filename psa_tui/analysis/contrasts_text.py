"""Contrasts as text: the declared family, what is exploratory, and the A/A comparisons beside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from psa_tui.analysis.chance import chance_table
from psa_tui.analysis.contrasts import DECLARED, EXPLORATORY, PLACEBO
from psa_tui.analysis.seeding import Design
from psa_tui.analysis.text_tables import NO_NUMBER, Text, TextTable, number, percentage, probability

if TYPE_CHECKING:
    from pandas import DataFrame

    from psa_tui.analysis.endpoints import Endpoint

_SIGNIFICANT = 0.05
HEADINGS = {
    DECLARED: "declared contrasts; p Holm is corrected for their number",
    EXPLORATORY: "exploratory, declared by nobody; p BH is corrected after Benjamini and Hochberg",
    PLACEBO: "A/A: both sides are the same, so what stands here is chance; 1 in 20 has p < .05",
}
_CORRECTED = {DECLARED: "p Holm", EXPLORATORY: "p BH", PLACEBO: ""}
_TESTS = {
    (Design.PAIRED, False): "signs of pairs flipped at random; interval: Student's t of pairs",
    (Design.PAIRED, True): "McNemar's test (mid-p) of pairs that disagree; interval: Student's t of pairs",
    (Design.INDEPENDENT, False): "labels exchanged at random within each shape; interval: Welch's t",
    (Design.INDEPENDENT, True): "labels exchanged at random within each shape; interval: Welch's t",
}


def contrasts_text(table: DataFrame, endpoint: Endpoint, margin: float, *, by_shape: bool) -> Iterator[Text]:
    """Show ``contrast_table``: pooled, and with ``by_shape`` also the shapes of each contrast."""
    pooled = table[table["architecture"].isna()]
    if pooled.empty:
        yield f"{endpoint.words}: no shape has trials of both modes of a contrast"
        return
    shapes = pooled["shapes"].max()
    yield f"{endpoint.words}, percent, {shapes} {'shape' if shapes == 1 else 'shapes of the same weight'}"
    if endpoint.remark:
        yield endpoint.remark
    for kind, heading in HEADINGS.items():
        rows = pooled[pooled["kind"] == kind]
        if len(rows):
            yield ""
            yield heading
            yield _table(rows, kind, endpoint, margin)
    yield ""
    yield from legend(pooled, endpoint, margin)
    if by_shape:
        yield from chance_words(table)
        yield from _shapes(table, endpoint, margin)


def _table(rows: DataFrame, kind: str, endpoint: Endpoint, margin: float) -> TextTable:
    corrected = [_CORRECTED[kind]] if _CORRECTED[kind] else []
    columns = ["contrast", "n", "a", "b", "a - b", "from", "to", "p", *corrected]
    columns += ["odds", "from", "to"] if endpoint.is_escape else [_within(margin)]
    lines = []
    for row in rows.itertuples():
        line = [row.contrast, *_numbers(row), *([probability(row.p_corrected)] if corrected else [])]
        if endpoint.is_escape:
            line += [number(value, ".1f") for value in (row.odds_ratio, row.odds_low, row.odds_high)]
        else:
            line.append(_shown(row.p_equivalent))
        lines.append(line)
    return TextTable(columns, lines, about=endpoint.words)


def _shapes(table: DataFrame, endpoint: Endpoint, margin: float) -> Iterator[Text]:
    """Show every contrast shape by shape."""
    single = table[table["architecture"].notna()]
    for contrast, rows in single.groupby("contrast", sort=False):
        is_placebo = rows["kind"].iloc[0] == PLACEBO
        yield ""
        yield f"{contrast}, shape by shape (exploratory)" if not is_placebo else f"{contrast} (A/A), shape by shape"
        yield TextTable(
            ["shape", "n", "a", "b", "a - b", "from", "to", "p", *([] if is_placebo else ["p BH"]), _within(margin)],
            [
                [
                    row.architecture,
                    *_numbers(row),
                    *([] if is_placebo else [probability(row.p_corrected)]),
                    _shown(row.p_equivalent),
                ]
                for row in rows.itertuples()
            ],
            about=endpoint.words,
        )


def legend(pooled: DataFrame, endpoint: Endpoint, margin: float) -> Iterator[str]:
    """Say what the columns of pooled contrasts are, and by which test."""
    designs = [Design(design) for design in dict.fromkeys(pooled["design"])]
    yield "a - b: difference in points, with the interval that holds the true one in 95 of 100 such studies"
    for design in designs:
        counted = "pairs" if design is Design.PAIRED else "trials of a / of b"
        yield f"{design} (n: {counted}): p by {_TESTS[design, endpoint.is_escape]}"
    if endpoint.is_escape:
        yield (
            "odds: how many times the odds of b are those of a, by a logistic model with the trials of a shape as one "
            "cluster (GEE): would other shapes show it?"
        )
        for problem, names in _problems(pooled):
            yield f"no odds of {', '.join(names)}: {problem}"
    else:
        yield (
            f"{_within(margin)}: yes where the difference is shown to be smaller than {100 * margin:g} points (TOST, "
            "p < .05); no is no proof of a difference"
        )
    if not (pooled["kind"] == PLACEBO).any():
        yield "no A/A is possible: it takes sham or decay beside none, or four trials of a shape and control"
    if flat := [row.contrast for row in pooled.itertuples() if row.low != row.low and row.difference == 0]:
        yield f"the same to the last digit in every pair, which says nothing of chance: {', '.join(flat)}"


def chance_words(table: DataFrame) -> Iterator[str]:
    """Say in how many single shapes the A/A comparisons of ``contrast_table`` find what is not there."""
    counted = chance_table(table[table["kind"] == PLACEBO])
    known = counted[counted["noisy"] > 0]
    if len(known):
        found = ", ".join(f"{row.contrast} {row.significant} of {row.noisy}" for row in known.itertuples())
        yield f"shapes alone in which an A/A has p < .05, of those whose trials differ (chance: 5 in 100): {found}"


def _problems(pooled: DataFrame) -> list[tuple[str, Sequence[str]]]:
    found = pooled[pooled["odds_problem"] != ""]
    return [(str(problem), list(rows["contrast"])) for problem, rows in found.groupby("odds_problem", sort=False)]


def _numbers(row: Any) -> list[str]:
    """Return n, both means, the difference and its interval, and p."""
    return [
        str(row.n_a) if row.design == Design.PAIRED else f"{row.n_a}/{row.n_b}",
        percentage(row.mean_a),
        percentage(row.mean_b),
        *(percentage(value, "+.2f") for value in (row.difference, row.low, row.high)),
        probability(row.p),
    ]


def _within(margin: float) -> str:
    return f"<= {100 * margin:g}"


def _shown(p: float) -> str:
    return NO_NUMBER if p != p else "yes" if p < _SIGNIFICANT else "no"
