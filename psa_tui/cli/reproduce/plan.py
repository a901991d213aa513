"""``psa reproduce plan``: what a study takes, before it is begun."""

from __future__ import annotations

from psa_tui.cli.options import HYPERPARAMETER_OPTIONS, Json, takes_settings
from psa_tui.cli.study import options
from psa_tui.settings import Settings


@takes_settings("network", *HYPERPARAMETER_OPTIONS, "dataset", "device", "backend", dataset="mnist")
def plan(
    settings: Settings,
    grid: options.Grid = None,
    modes: options.Modes = None,
    trials: options.Trials = None,
    meta_loops: options.MetaLoops = None,
    workers: options.Workers = None,
    json: Json = False,
) -> None:
    """Say what a study takes: hours here and on more workers, dollars in the cloud, disk and memory.

    Where nothing else is said, the published study: 98 shapes, six modes, 10 trials of 100 meta-loops. Some of the
    shapes are trained for moments on all workers, about 20 seconds in all; the others follow from a cost model, whose
    error is stated. Nothing is written.
    """
    from psa_tui.cli.study.plan import print_plans
    from psa_tui.studies.request import StudyRequest, new_study

    spec = new_study(StudyRequest(name="plan", grid=grid, modes=modes, trials=trials, meta_loops=meta_loops), settings)
    print_plans([spec], settings, workers, json=json)
