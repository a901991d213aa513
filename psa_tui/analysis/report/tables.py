"""The page's tables: what stands in each cell, and by what it is sorted."""

from __future__ import annotations

from psa_tui.analysis.comparison import TOLERANCE, has_further_modes
from psa_tui.analysis.comparison_text import PUBLISHED_SEEDS, design_words
from psa_tui.analysis.figures.study_results import StudyResults
from psa_tui.analysis.frames import shown_modes
from psa_tui.analysis.regimes import Regime
from psa_tui.analysis.report.cells import (
    NOTHING,
    Cell,
    Table,
    difference_cell,
    interval_cell,
    number_cell,
    parameters_cell,
    percent_cell,
    probability_cell,
    shape_cell,
)
from psa_tui.analysis.seeding import seeding_words
from psa_tui.analysis.summary import missing_cells
from psa_tui.analysis.tables import parameter_matching


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
                Cell(NOTHING) if cell is None else Cell(f"{cell.mean_pct:.2f} ± {cell.std_pct:.2f}", float(cell.mean))
            )
        rows.append(
            [
                Cell(str(name), float(index)),
                parameters_cell(row["parameters"]),
                Cell(parameter_matching(row["depth"], row["width"])),
                Cell(str(Regime(regime)) if isinstance(regime, str) else NOTHING),
                difference_cell(row["effect"]),
                Cell(NOTHING) if row["instability"] != row["instability"] else percent_cell(row["instability"]),
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
            shape_cell(row),
            Cell(row.mode),
            Cell(f"{row.n_a} / {row.n_b}", float(row.n_a)),
            difference_cell(row.difference),
            interval_cell(row.low, row.high),
            probability_cell(row.p_bh),
            number_cell(row.cliffs_delta, "+.2f"),
            number_cell(row.hedges_g, "+.2f"),
            percent_cell(row.mean_a),
            percent_cell(row.test_a),
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
    table = results.against_published
    if table is None:
        return None
    rows = [
        [
            shape_cell(row),
            Cell(row.mode),
            Cell(f"{row.n_a} / {row.n_b}", float(row.n_a)),
            percent_cell(row.mean_a),
            percent_cell(row.mean_b),
            difference_cell(row.difference),
            interval_cell(row.low, row.high),
            probability_cell(row.p_holm),
            interval_cell(row.joint_low, row.joint_high),
            *(Cell(NOTHING if one is None else "yes" if one else "no") for one in (row.inside, row.within)),
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
        [Cell(row.architecture), Cell(row.mode), number_cell(row.n, "d"), number_cell(row.expected, "d")]
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
