"""The page's tables: what stands in each cell, and by what it is sorted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from psa_tui.analysis.comparison import TOLERANCE, compare_with_control
from psa_tui.analysis.figures.study_results import Material
from psa_tui.analysis.frames import shown_modes
from psa_tui.analysis.regimes import Regime
from psa_tui.analysis.report.findings import against_published
from psa_tui.analysis.summary import missing_cells
from psa_tui.analysis.tables import parameter_matching
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


def tables(material: Material) -> list[Table]:
    """Every table that the material gives; one without rows is left out."""
    found = [_shapes(material), _control(material), _published(material), _missing(material)]
    return [table for table in found if table is not None and table.rows]


def _shapes(material: Material) -> Table:
    modes = shown_modes(material.trials)
    cells = {(row.architecture, row.mode): row for row in material.cells.itertuples()}
    regimes = {} if material.regimes is None else material.regimes["regime"].to_dict()
    rows = []
    for index, (name, row) in enumerate(material.shapes.iterrows()):
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
                Cell(f"{int(row['parameters']):,}", float(row["parameters"])),
                Cell(parameter_matching(int(row["depth"]), int(row["width"]))),
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


def _control(material: Material) -> Table:
    rows = [
        [
            Cell(row.architecture, float(row.depth * 1e6 + row.width)),
            Cell(row.mode),
            Cell(f"{row.n_a} / {row.n_b}", float(row.n_a)),
            _difference(row.difference),
            _interval(row.low, row.high),
            _probability(row.p_holm),
            _number(row.cliffs_delta, "+.2f"),
            _number(row.hedges_g, "+.2f"),
            _pct(row.mean_a),
            _pct(row.test_a),
        ]
        for row in compare_with_control(material.trials).itertuples()
    ]
    return Table(
        "control",
        "Ablative modes against none",
        "Difference of means in points with its 95 % interval (Welch); p of the Mann-Whitney test with Holm's "
        "correction over all rows; Cliff's delta and Hedges' g as effect sizes; mean validation and test accuracy of "
        "the ablative mode in percent. n: trials of the mode / of none.",
        ("shape", "mode", "n", "difference", "95 % interval", "p (Holm)", "delta", "g", "validation", "test"),
        (True, False, True, True, True, True, True, True, True, True),
        rows,
    )


def _published(material: Material) -> Table | None:
    table = against_published(material)
    if table is None:
        return None
    rows = [
        [
            Cell(row.architecture, float(row.depth * 1e6 + row.width)),
            Cell(row.mode),
            Cell(f"{row.n_a} / {row.n_b}", float(row.n_a)),
            _pct(row.mean_a),
            _pct(row.mean_b),
            _difference(row.difference),
            _interval(row.low, row.high),
            _probability(row.p_holm),
            Cell(_NONE if row.within is None else "yes" if row.within else "no"),
        ]
        for row in table.itertuples()
    ]
    return Table(
        "published",
        "Beside the published study",
        "Mean best validation accuracy in percent here and there, the difference in points with its 95 % interval "
        "(Welch), p of the Mann-Whitney test with Holm's correction, and whether the means are within "
        f"{100 * TOLERANCE:g} points.",
        ("shape", "mode", "n", "here", "published", "difference", "95 % interval", "p (Holm)", "within"),
        (True, False, True, True, True, True, True, True, False),
        rows,
    )


def _missing(material: Material) -> Table:
    rows = [
        [Cell(row.architecture), Cell(row.mode), _number(row.n, "d"), _number(row.expected, "d")]
        for row in missing_cells(material.trials).itertuples()
    ]
    return Table(
        "missing",
        "Cells with missing trials",
        "Trials that are complete, of those the study set out to run.",
        ("shape", "mode", "complete", "planned"),
        (False, False, True, True),
        rows,
    )


def _number(value: Any, form: str) -> Cell:
    return Cell(_NONE) if value != value else Cell(format(value, form), float(value))


def _pct(fraction: float) -> Cell:
    return _number(100 * fraction, ".2f")


def _difference(fraction: float) -> Cell:
    return Cell(_NONE) if fraction != fraction else Cell(points(fraction + 0.0), float(fraction))


def _interval(low: float, high: float) -> Cell:
    return Cell(_NONE) if low != low else Cell(f"{points(low)} to {points(high)}", float(low))


def _probability(value: float) -> Cell:
    return Cell(_NONE) if value != value else Cell("<.001" if value < 0.001 else f"{value:.3f}", float(value))
