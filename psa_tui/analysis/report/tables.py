"""The page's tables: what stands in each cell, and by what it is sorted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from psa_tui.analysis.comparison import TOLERANCE, has_further_modes
from psa_tui.analysis.comparison_text import PUBLISHED_SEEDS, design_words
from psa_tui.analysis.figures.study_results import StudyResults
from psa_tui.analysis.frames import shown_modes
from psa_tui.analysis.regimes import Regime
from psa_tui.analysis.report.findings import against_published
from psa_tui.analysis.seeding import seeding_words
from psa_tui.analysis.shapes import count_text
from psa_tui.analysis.summary import missing_cells
from psa_tui.analysis.tables import parameter_matching
from psa_tui.analysis.text_tables import probability
from psa_tui.formatting import points

_NONE = "–"


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: its text, and the number it is sorted by (None sorts by the text, or last in a column of numbers)."""

    text: str
    number: float | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A table with its caption; ``numeric`` says of each column whether it has numbers."""

    name: str
    title: str
    caption: str
    columns: tuple[str, ...]
    numeric: tuple[bool, ...]
    rows: list[list[Cell]]


def tables(results: StudyResults) -> list[Table]:
    """Return every table that the results give; one without rows is left out."""
    found = [_shapes(results), _control(results), _published(results), _missing(results)]
    return [table for table in found if table is not None and table.rows]


def _shapes(results: StudyResults) -> Table:
    modes = shown_modes(results.trials)
    cells = {(row.architecture, row.mode): row for row in results.cells.itertuples()}
    regimes = {} if results.regimes is None else results.regimes["regime"].to_dict()
    rows = []
    for index, (name, row) in enumerate(results.shapes.iterrows()):
        regime = regimes.get(name)
        numbers = []
        for mode in modes:
            cell = cells.get((name, mode))
            numbers.append(
                Cell(_NONE) if cell is None else Cell(f"{cell.mean_pct:.2f} ± {cell.std_pct:.2f}", float(cell.mean))
            )
        rows.append(
            [
                Cell(str(name), float(index)),
                _parameters(row["parameters"]),
                Cell(parameter_matching(row["depth"], row["width"])),
                Cell(str(Regime(regime)) if isinstance(regime, str) else _NONE),
                _difference(row["effect"]),
                Cell(_NONE) if row["instability"] != row["instability"] else _pct(row["instability"]),
                *numbers,
            ]
        )
    return Table(
        "shapes",
        "Accuracy of every shape",
        "Best validation accuracy in percent: mean ± population standard deviation over the trials, by mode. Effect: "
        "the ablative modes' mean less the baselines', in points. Spread: the largest of the standard deviations.",
        ("shape", "parameters", "matching", "regime", "effect", "spread", *modes),
        (True, True, False, False, True, True, *[True] * len(modes)),
        rows,
    )


def _control(results: StudyResults) -> Table:
    further = has_further_modes(results.trials)
    rows = [
        [
            _shape(row),
            Cell(row.mode),
            Cell(f"{row.n_a} / {row.n_b}", float(row.n_a)),
            _difference(row.difference),
            _interval(row.low, row.high),
            _probability(row.p_bh),
            _number(row.cliffs_delta, "+.2f"),
            _number(row.hedges_g, "+.2f"),
            _pct(row.mean_a),
            _pct(row.test_a),
        ]
        for row in results.against_control.itertuples()
    ]
    return Table(
        "control",
        "Ablative and further modes against none" if further else "Ablative modes against none",
        f"Exploratory. {seeding_words(results.trials)} {design_words(results.against_control)} Differences in points "
        "with 95 % intervals; p corrected over all rows after Benjamini and Hochberg; Cliff's delta and Hedges' "
        "g as effect sizes; mean validation and test accuracy of "
        f"the {'mode' if further else 'ablative mode'} in percent. n: trials of the mode / of none.",
        ("shape", "mode", "n", "difference", "95 % interval", "p (BH)", "delta", "g", "validation", "test"),
        (True, False, True, True, True, True, True, True, True, True),
        rows,
    )


def _published(results: StudyResults) -> Table | None:
    table = against_published(results)
    if table is None:
        return None
    rows = [
        [
            _shape(row),
            Cell(row.mode),
            Cell(f"{row.n_a} / {row.n_b}", float(row.n_a)),
            _pct(row.mean_a),
            _pct(row.mean_b),
            _difference(row.difference),
            _interval(row.low, row.high),
            _probability(row.p_holm),
            _interval(row.joint_low, row.joint_high),
            *(Cell(_NONE if one is None else "yes" if one else "no") for one in (row.inside, row.within)),
        ]
        for row in table.itertuples()
    ]
    return Table(
        "published",
        "Beside the published study",
        "Mean best validation accuracy in percent here and there, the difference in points with its 95 % interval "
        "(Welch), p of the Mann-Whitney test with Holm's correction, the joint interval (in 95 of 100 studies all of "
        f"them hold the true differences), whether 0 is in it, and whether the means are within {100 * TOLERANCE:g} "
        f"points. {PUBLISHED_SEEDS}",
        (
            "shape",
            "mode",
            "n",
            "here",
            "published",
            "difference",
            "95 % interval",
            "p (Holm)",
            "joint",
            "0 in",
            "within",
        ),
        (True, False, True, True, True, True, True, True, True, False, False),
        rows,
    )


def _missing(results: StudyResults) -> Table:
    rows = [
        [Cell(row.architecture), Cell(row.mode), _number(row.n, "d"), _number(row.expected, "d")]
        for row in missing_cells(results.trials).itertuples()
    ]
    return Table(
        "missing",
        "Cells with missing trials",
        "Trials that are complete, of those the study set out to run.",
        ("shape", "mode", "complete", "planned"),
        (False, False, True, True),
        rows,
    )


def _shape(row: Any) -> Cell:
    """Return the cell of a shape, sorted by depth and width where they are known."""
    place = row.depth * 1e6 + row.width
    return Cell(row.architecture, None if place != place else float(place))


def _parameters(count: float) -> Cell:
    return Cell(_NONE) if count != count else Cell(count_text(count), float(count))


def _number(value: Any, form: str) -> Cell:
    return Cell(_NONE) if value != value else Cell(format(value, form), float(value))


def _pct(fraction: float) -> Cell:
    return _number(100 * fraction, ".2f")


def _difference(fraction: float) -> Cell:
    return Cell(_NONE) if fraction != fraction else Cell(points(fraction + 0.0), float(fraction))


def _interval(low: float, high: float) -> Cell:
    return Cell(_NONE) if low != low else Cell(f"{points(low)} to {points(high)}", float(low))


def _probability(value: float) -> Cell:
    return Cell(_NONE) if value != value else Cell(probability(value), float(value))
