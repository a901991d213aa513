"""``psa results summary``: mean, spread and extremes of every shape and mode."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from psa_tui.cli import options as common
from psa_tui.cli.results import options

if TYPE_CHECKING:
    from pandas import DataFrame


def summary(
    source: options.Source = "local",
    study: options.Study = None,
    results_dir: common.ResultsDir = None,
    output: options.Output = None,
    json: options.Json = False,
) -> None:
    """Show mean, std, min and max of every shape and mode, and write them to psa_simplemlp_summary.md.

    Best validation accuracies, in percent; std is the population's. The file goes to the results folder, unless
    --output says otherwise.
    """
    from psa_tui.analysis.summary import SUMMARY_FILE, cell_statistics, summary_markdown
    from psa_tui.cli.results.loading import results_folder, trials_of
    from psa_tui.cli.results.presenting import described, print_json, write_file

    trials = trials_of(source, study, results_dir)
    cells = cell_statistics(trials)
    if json:
        print_json(described(trials), cells=cells)
    else:
        _print(trials, cells)
    path = Path(output) if output else results_folder(results_dir) / SUMMARY_FILE
    write_file(path, summary_markdown(trials).encode())


def _print(trials: DataFrame, cells: DataFrame) -> None:
    from psa_tui.analysis.frames import shown_architectures, shown_modes
    from psa_tui.cli.results.presenting import print_about, print_rows
    from psa_tui.studies.grids import parse_shape

    found = {(row.architecture, row.mode): row for row in cells.itertuples()}
    rows = []
    for architecture in shown_architectures(trials):
        shape, size = architecture, f"{parse_shape(architecture).parameters:,}"
        for mode in shown_modes(trials):
            cell = found.get((architecture, mode))
            numbers = ["N/A"] * 4 + ["0"]
            if cell is not None:
                measures = (cell.mean_pct, cell.std_pct, cell.min_pct, cell.max_pct)
                numbers = [*(f"{value:.2f}" for value in measures), str(cell.n)]
            rows.append([shape, mode, *numbers, size])
            shape = size = ""
    print_about(trials)
    print_rows(["shape", "mode", "mean %", "std", "min", "max", "n", "parameters"], rows, words=2)
