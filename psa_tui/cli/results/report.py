"""``psa results report``: the study on one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from psa_tui.cli import options as common
from psa_tui.cli.results import options


def report(
    source: options.Source = "local",
    study: options.Study = None,
    results_dir: common.ResultsDir = None,
    zero_r: options.ZeroR = None,
    out: Annotated[str, typer.Option(metavar="FILE", help="Where to write the page.")] = "results/report.html",
) -> None:
    """Write one self-contained HTML page: findings, figures, curves, tables, method, and what is missing.

    It asks the network for nothing, and can be read without JavaScript, on a phone, in the dark and on paper.
    """
    from psa_tui.analysis.figures.study_results import load_material
    from psa_tui.analysis.report.builder import build_page
    from psa_tui.analysis.summary import notices
    from psa_tui.cli.output import print_warning
    from psa_tui.cli.results.loading import results_folder
    from psa_tui.cli.results.presenting import write_file

    folder = results_folder(results_dir)
    material = load_material(source, study, folder, None if zero_r is None else zero_r / 100)
    for notice in notices(material.trials):
        print_warning(notice)
    place = Path(source) if source.endswith(".sqlite") else folder
    write_file(Path(out), build_page(material, place))
