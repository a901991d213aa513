"""``psa results report``: the study on one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from psa_tui.cli.options import takes_settings
from psa_tui.cli.results import options
from psa_tui.settings import Settings


@takes_settings("results_dir")
def report(
    settings: Settings,
    source: options.Source = "local",
    study: options.Study = None,
    zero_r: options.ZeroR = None,
    out: Annotated[
        str, typer.Option("--out", "-o", metavar="FILE", help="Where to write the page.", rich_help_panel="Output")
    ] = "results/report.html",
) -> None:
    """Write one self-contained HTML page: findings, figures, curves, tables, method, and what is missing.

    It asks the network for nothing, and can be read without JavaScript, on a phone, in the dark and on paper.
    """
    from psa_tui.analysis.report.builder import build_page
    from psa_tui.cli.results.loading import study_results_of
    from psa_tui.cli.results.printing import write_file

    folder = settings.get("results_dir")
    results = study_results_of(source, study, folder, zero_r)
    write_file(Path(out), build_page(results, Path(source) if source.endswith(".sqlite") else folder))
