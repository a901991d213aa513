"""``psa reproduce generate``: the study as commands, printed and as a script."""

from __future__ import annotations

from pathlib import Path

from psa_tui.cli.options import HYPERPARAMETER_OPTIONS, takes_settings
from psa_tui.cli.study import options
from psa_tui.cli.study.generate import Out, show_commands
from psa_tui.settings import Settings


@takes_settings("network", *HYPERPARAMETER_OPTIONS, "dataset", "model_dir", dataset="mnist")
def generate(
    settings: Settings,
    grid: options.Grid = "first",
    modes: options.Modes = None,
    trials: options.Trials = 1,
    meta_loops: options.MetaLoops = 100,
    seed: options.Seed = 0,
    out: Out = Path("run_reproduction.sh"),
) -> None:
    """Print the command of every trial, by shape, and write a script that runs them all.

    Each trial has its own model folder. The script stops at an error; started again, it goes on where it stopped.
    psa reproduce run does the same work many times faster, because trials of a shape train together.
    """
    from psa_tui.studies.generate import trial_commands
    from psa_tui.studies.request import StudyRequest, new_study

    request = StudyRequest(grid=grid, modes=modes, trials=trials, meta_loops=meta_loops, seed=seed)
    spec = new_study(request, settings)
    show_commands(spec, trial_commands(spec, settings.get("model_dir") / "reproduction"), out, "psa reproduce")
