"""The page's section of contrasts: all shapes together and one by one, with what chance alone does beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psa_tui.analysis.comparison import TOLERANCE
from psa_tui.analysis.contrasts import DECLARED, EXPLORATORY
from psa_tui.analysis.contrasts_text import chance_words, legend
from psa_tui.analysis.figures.study_results import StudyResults
from psa_tui.analysis.report.cells import (
    NOTHING,
    Cell,
    Table,
    difference_cell,
    interval_cell,
    number_cell,
    percent_cell,
    probability_cell,
)
from psa_tui.analysis.seeding import Design, seeding_words

if TYPE_CHECKING:
    from pandas import DataFrame

    from psa_tui.analysis.endpoints import Endpoint

CONTRAST_FIGURES = ("contrasts", "chance")
_SIGNIFICANT = 0.05
_COLUMNS = ("contrast", "kind", "a - b", "95 % interval", "p", "p corrected")
_NUMERIC = (False, False, True, True, True, True)
_WITHIN = f"<= {100 * TOLERANCE:g}"
_SIDES = ("n", "a", "b")
_CORRECTION = (
    "p corrected: after Holm over the declared contrasts, after Benjamini and Hochberg over the exploratory ones. "
    "A/A: both sides train alike, so what stands there is chance."
)


@dataclass(frozen=True, slots=True)
class Contrasts:
    """What the section shows."""

    seeds: str
    tables: list[Table]
    notes: list[str]


def contrasts(results: StudyResults) -> Contrasts:
    """Return the contrasts of accuracies and of escapes; without tables where no shape has two modes to compare."""
    found = [("accuracy", results.contrasts, results.accuracy)]
    if results.escapes is not None:
        found.append(("escapes", *results.escapes))
    found = [(name, table, endpoint) for name, table, endpoint in found if len(table)]
    notes = [
        note
        for _, table, endpoint in found
        for note in legend(table[table["architecture"].isna()], endpoint, TOLERANCE)
    ]
    tables = [_pooled(name, table, endpoint) for name, table, endpoint in found]
    if found:
        tables.append(_by_shape(results.contrasts))
    return Contrasts(seeding_words(results.trials), tables, list(dict.fromkeys(notes)))


def _pooled(name: str, table: DataFrame, endpoint: Endpoint) -> Table:
    rows = table[table["architecture"].isna()]
    last = ("odds", "95 % interval") if endpoint.is_escape else (_WITHIN,)
    shapes = int(rows["shapes"].max())
    words = f"{endpoint.words[:1].upper()}{endpoint.words[1:]}"
    return Table(
        f"contrasts-{name}",
        f"Pooled: {'escapes' if endpoint.is_escape else 'accuracy'}",
        f"{words}, percent, {shapes} {'shape' if shapes == 1 else 'shapes of the same weight'}. "
        f"{endpoint.remark} {_CORRECTION}",
        (*_COLUMNS, *last, *_SIDES),
        (*_NUMERIC, *(endpoint.is_escape for _ in last), True, True, True),
        [
            [*_cells(row), *(_odds(row) if endpoint.is_escape else [_within(row)]), *_sides(row)]
            for row in rows.itertuples()
        ],
    )


def _by_shape(table: DataFrame) -> Table:
    rows = table[table["architecture"].notna()]
    places = {name: float(index) for index, name in enumerate(dict.fromkeys(rows["architecture"]))}
    return Table(
        "contrasts-shapes",
        "Shape by shape: accuracy",
        " ".join(
            [
                "Exploratory: p is corrected over all rows but A/A after Benjamini and Hochberg.",
                *(f"{words[:1].upper()}{words[1:]}." for words in chance_words(table)),
            ]
        ),
        ("shape", *_COLUMNS, _WITHIN, *_SIDES),
        (True, *_NUMERIC, False, True, True, True),
        [
            [Cell(row.architecture, places[row.architecture]), *_cells(row), _within(row), *_sides(row)]
            for row in rows.itertuples()
        ],
    )


def _cells(row: Any) -> list[Cell]:
    alone = row.architecture is not None and row.kind == DECLARED  # families are of pooled contrasts
    return [
        Cell(row.contrast),
        Cell(EXPLORATORY if alone else row.kind),
        difference_cell(row.difference),
        interval_cell(row.low, row.high),
        probability_cell(row.p),
        probability_cell(row.p_corrected),
    ]


def _sides(row: Any) -> list[Cell]:
    n = f"{row.n_a}" if row.design == Design.PAIRED else f"{row.n_a} / {row.n_b}"
    return [Cell(n, float(row.n_a)), percent_cell(row.mean_a), percent_cell(row.mean_b)]


def _odds(row: Any) -> list[Cell]:
    known = row.odds_low == row.odds_low
    interval = Cell(f"{row.odds_low:.1f} to {row.odds_high:.1f}", float(row.odds_low)) if known else Cell(NOTHING)
    return [number_cell(row.odds_ratio, ".1f"), interval]


def _within(row: Any) -> Cell:
    p = row.p_equivalent
    return Cell(NOTHING if p != p else "yes" if p < _SIGNIFICANT else "no")
