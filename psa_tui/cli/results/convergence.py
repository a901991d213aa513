"""``psa results convergence``: validation accuracy at every meta-loop."""

from __future__ import annotations

from typing import Annotated

import typer

from psa_tui.cli import options as common
from psa_tui.cli.results import options

Trial = Annotated[int | None, typer.Option(metavar="N", min=1, help="The curve of this trial (default: the mean).")]
Best = Annotated[bool, typer.Option("--best", help="The curve of each cell's best trial.", show_default=False)]


def convergence(
    source: options.Source = "local",
    study: options.Study = None,
    results_dir: common.ResultsDir = None,
    arch: options.Shapes = None,
    mode: options.Mode = None,
    trial: Trial = None,
    best: Best = False,
    output: options.Output = None,
    json: options.Json = False,
) -> None:
    """Show the candidates' validation accuracy, and the LKG's, by meta-loop for every shape and mode.

    Of one trial, of the best one, or the mean over trials; --output and --json add the band in which the middle 80 %
    of the trials lie. The best of all trials at each loop is no run, and is not shown.
    """
    from psa_tui.cli.results import curves
    from psa_tui.cli.results.loading import loops_of

    pick = curves.picked(trial, best)
    loops = loops_of(source, study, results_dir, arch, mode)
    curves.show(loops, ("validation_accuracy", "lkg_accuracy"), pick, output, as_json=json)
