"""``psa results summary``: mean, spread and extremes of every shape and mode."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from psa_tui.cli.options import Json, takes_settings
from psa_tui.cli.results import options
from psa_tui.settings import Settings

if TYPE_CHECKING:
    from pandas import DataFrame

    from psa_tui.analysis.text_tables import TextTable

_STD = "std: the population's, in points (divided by n, as published); sd in the workbench is the sample's (n - 1)"


@takes_settings("results_dir")
def summary(
    settings: Settings,
    source: options.Source = "local",
    study: options.Study = None,
    out: options.Out = None,
    json: Json = False,
) -> None:
    """Show mean, std, min and max of every shape and mode, and write them to psa_simplemlp_summary.md.

    Best validation accuracies, in percent; std is the population's. The file goes to the results folder, unless
    --out says otherwise; of any study but reproduction its name has the study's, as in psa_simplemlp_summary-mine.md.
    """
    from psa_tui.analysis.summary import SUMMARY_FILE, cell_statistics, file_for, summary_markdown
    from psa_tui.analysis.text_tables import about
    from psa_tui.cli.results.loading import trials_of
    from psa_tui.cli.results.printing import described, print_json, print_text, write_file

    folder = settings.get("results_dir")
    trials = trials_of(source, study, folder)
    cells = cell_statistics(trials)
    if json:
        print_json(described(trials), cells=cells)
    else:
        print_text(about(trials), _table(trials, cells), _STD)
    write_file(Path(out) if out else folder / file_for(trials, SUMMARY_FILE), summary_markdown(trials).encode())


def _table(trials: DataFrame, cells: DataFrame) -> TextTable:
    from psa_tui.analysis.frames import shown_architectures, shown_modes
    from psa_tui.analysis.shapes import count_text, shape_sizes
    from psa_tui.analysis.text_tables import TextTable

    found = {(row.architecture, row.mode): row for row in cells.itertuples()}
    rows = []
    # Of a study of one's own: not the published modes that no shape of it has.
    modes = [mode for mode in shown_modes(trials) if any(of == mode for _, of in found)]
    for architecture, its_size in shape_sizes(trials, shown_architectures(trials)).items():
        shape, size = architecture, count_text(its_size.parameters)
        for mode in modes or shown_modes(trials):
            cell = found.get((architecture, mode))
            numbers = ["N/A"] * 4 + ["0"]
            if cell is not None:
                measures = (cell.mean_pct, cell.std_pct, cell.min_pct, cell.max_pct)
                numbers = [*(f"{value:.2f}" for value in measures), str(cell.n)]
            rows.append([shape, mode, *numbers, size])
            shape = size = ""
    return TextTable(["shape", "mode", "mean %", "std", "min", "max", "n", "parameters"], rows, 2)
