"""``psa study run``: train the trials of a study on this machine, or on a cluster."""

from __future__ import annotations

from functools import partial

import typer

from psa_tui.cli.options import OUTPUT_OPTIONS, takes_settings
from psa_tui.cli.study import options
from psa_tui.settings import Settings


@takes_settings(
    "network",
    "dataset_dir",
    "results_dir",
    "device",
    "backend",
    *OUTPUT_OPTIONS,
    "notify",
    "debug",
    network="the study's",
)
def run(
    settings: Settings,
    study: options.Study = None,
    recipe: options.Recipe = None,
    name: options.Name = None,
    trials: options.MoreTrials = None,
    meta_loops: options.MetaLoops = None,
    workers: options.Workers = None,
    max_hours: options.MaxHours = None,
    max_params: options.MaxParameters = None,
    on: options.On = "local",
    address: options.Address = None,
) -> None:
    """Train a study's trials, or go on with them: the study keeps its design under its name.

    The file is checked whole before anything runs, and all its faults are listed with their lines. A study that was
    begun may gain trials; any other change of its design is refused. Ctrl-C commits what is done and leaves; the same
    command goes on. psa study status shows it from another terminal.
    """
    from psa_tui.cli.study.view import choose_view
    from psa_tui.studies.chosen import ChosenStudies
    from psa_tui.studies.design.departures import departures_before
    from psa_tui.studies.session import SessionOptions, run_session
    from psa_tui.views.messages import print_note, print_warning
    from psa_tui.views.output import notifications

    settings.named_network()
    chosen = ChosenStudies(study=study, recipe=recipe, name=name, trials=trials, meta_loops=meta_loops)
    session = SessionOptions(on=on, workers=workers, max_hours=max_hours, max_parameters=max_params, address=address)
    code = 0
    with notifications(settings) as notifying:
        # All are checked before the first is begun.
        studies = chosen.resolve(settings, print_note)
        for line in [line for spec in studies for line in departures_before(settings.get("results_dir"), spec)]:
            print_warning(line)
        for spec in studies:
            code = code or run_session(spec, settings, session, partial(choose_view, settings), print_note, notifying)
    if code:
        raise typer.Exit(code)
