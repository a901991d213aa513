"""``psa results growth``: what the meta-loops added to the LKG."""

from __future__ import annotations

from psa_tui.cli import options as common
from psa_tui.cli.results import options
from psa_tui.cli.results.convergence import Best, Trial


def growth(
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
    """Show how many points the LKG gained in each stretch of meta-loops, for every shape and mode.

    The first promotion makes the LKG and is no gain. Of one trial, of the best one, or the mean over trials; --output
    and --json give every meta-loop.
    """
    from psa_tui.cli.results import curves
    from psa_tui.cli.results.loading import loops_of

    pick = curves.picked(trial, best)
    loops = loops_of(source, study, results_dir, arch, mode)
    curves.show(loops, ("lkg_gain",), pick, output, as_json=json)
