"""``psa results export``: every meta-loop as a file for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from psa_tui.cli import options as common
from psa_tui.cli.results import options


def export(
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE", help="A name ending in .csv, .parquet or .json.")
    ],
    source: options.Source = "local",
    study: options.Study = None,
    results_dir: common.ResultsDir = None,
    trials: Annotated[
        bool, typer.Option("--trials", help="One row a trial instead of one a meta-loop.", show_default=False)
    ] = False,
) -> None:
    """Write every meta-loop of a study's complete trials as CSV, Parquet or JSON.

    Accuracies are fractions. --source FILE reads the CSV and Parquet files again.
    """
    from psa_tui.cli.results.loading import loops_of, trials_of
    from psa_tui.cli.results.presenting import check_data_format, data_bytes, write_file

    path = Path(output)
    check_data_format(path)
    if trials:
        table = trials_of(source, study, results_dir)
        table = table.assign(dataset=table.attrs["dataset"], quick=table.attrs["quick"])
    else:
        loops = loops_of(source, study, results_dir)
        table = loops.assign(study=loops.attrs["study"], quick=loops.attrs["quick"])
    write_file(path, data_bytes(table, path.suffix))
