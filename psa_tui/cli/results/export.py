"""``psa results export``: every meta-loop as a file for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from psa_tui.cli.options import takes_settings
from psa_tui.cli.results import options
from psa_tui.settings import Settings


@takes_settings("results_dir")
def export(
    settings: Settings,
    out: Annotated[
        str,
        typer.Option(
            "--out", "-o", metavar="FILE", help="A name ending in .csv, .parquet or .json.", rich_help_panel="Output"
        ),
    ],
    source: options.Source = "local",
    study: options.Study = None,
    trials: Annotated[bool, typer.Option("--trials", help="One row a trial instead of one a meta-loop.")] = False,
) -> None:
    """Write every meta-loop of a study's complete trials as CSV, Parquet or JSON.

    Accuracies are fractions. --source FILE reads the CSV and Parquet files again: of meta-loops, as trials too.
    """
    from psa_tui.analysis.export import check_data_format, data_bytes, marked
    from psa_tui.cli.results.loading import loops_of, trials_of
    from psa_tui.cli.results.printing import write_file

    path = Path(out)
    check_data_format(path)
    table = (trials_of if trials else loops_of)(source, study, settings.get("results_dir"))
    write_file(path, data_bytes(marked(table, table), path.suffix))
