"""``psa reproduce run``: train the trials of a study on this machine, or on a cluster."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from psa_tui.cli.options import HYPERPARAMETER_OPTIONS, OUTPUT_OPTIONS, takes_settings
from psa_tui.cli.study import options
from psa_tui.settings import Settings


@takes_settings(
    "network",
    *HYPERPARAMETER_OPTIONS,
    "dataset",
    "dataset_dir",
    "results_dir",
    "device",
    "backend",
    *OUTPUT_OPTIONS,
    "notify",
    "debug",
    dataset="mnist, or the study's",
)
def run(
    settings: Settings,
    grid: options.Grid = None,
    modes: options.Modes = None,
    trials: options.MoreTrials = None,
    meta_loops: options.MetaLoops = None,
    seed: options.Seed = None,
    study: options.StudyName = None,
    workers: options.Workers = None,
    max_hours: options.MaxHours = None,
    max_params: options.MaxParameters = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="A few meta-loops of a few shapes: to see it work, no reproduction.")
    ] = False,
    on: options.On = "local",
    address: options.Address = None,
) -> None:
    """Train a study's trials, or go on with them: the study keeps its settings under its name.

    Where nothing else is said, it is the published study, called reproduction: 98 shapes, six modes, 10 trials of 100
    meta-loops, seed 0. All modes and trials of a shape train together. Ctrl-C commits what is done and leaves; the
    same command goes on. psa reproduce status shows it from another terminal.
    """
    from psa_tui.cli.study.view import choose_view
    from psa_tui.studies.request import StudyRequest, resolve
    from psa_tui.studies.session import SessionOptions, run_session
    from psa_tui.views.messages import print_note
    from psa_tui.views.output import notifications

    request = StudyRequest(
        name=study, grid=grid, modes=modes, trials=trials, meta_loops=meta_loops, seed=seed, quick=quick
    )
    session = SessionOptions(on=on, workers=workers, max_hours=max_hours, max_parameters=max_params, address=address)
    with notifications(settings) as notifying:
        spec = resolve(request, settings, print_note)
        code = run_session(spec, settings, session, partial(choose_view, settings), print_note, notifying)
    if code:
        raise typer.Exit(code)
