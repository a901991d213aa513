"""``psa study plan``: what a study takes, before it is begun."""

from __future__ import annotations

import json as json_format
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from psa_tui.cli.options import Json, takes_settings
from psa_tui.cli.study import options
from psa_tui.settings import Settings

if TYPE_CHECKING:
    from psa_tui.studies.spec import StudySpec


@takes_settings("network", "results_dir", "device", "backend", network="the study's")
def plan(
    settings: Settings,
    study: options.Study = None,
    recipe: options.Recipe = None,
    trials: options.Trials = None,
    meta_loops: options.MetaLoops = None,
    workers: options.Workers = None,
    json: Json = False,
) -> None:
    """Say what a study takes: hours here and on more workers, disk and memory.

    Its file is checked whole, and all faults are listed. Some of the shapes are trained for moments on all workers,
    about 20 seconds; the others follow from a cost model, whose error is stated. Nothing is written.
    """
    from psa_tui.studies.chosen import ChosenStudies

    settings.named_network()
    chosen = ChosenStudies(study=study, recipe=recipe, name=None, trials=trials, meta_loops=meta_loops)
    print_plans(chosen.load(settings.get("results_dir")), settings, workers, json=json)


def print_plans(studies: Sequence[StudySpec], settings: Settings, workers: int | None, *, json: bool) -> None:
    """Measure and print what ``studies`` take, and what all of them take where they are several."""
    from psa_tui.machine.signals import StopRequest
    from psa_tui.studies.chosen_backend import study_backend
    from psa_tui.studies.plan import make_plan
    from psa_tui.studies.session import worker_devices
    from psa_tui.studies.worker_machine import find_machine
    from psa_tui.views.messages import print_note
    from psa_tui.views.study.plan import format_plan

    made = []
    with StopRequest():
        capabilities = find_machine().capabilities
        for number, spec in enumerate(studies, start=1):
            devices = worker_devices(settings.get("device"), workers, spec, capabilities)
            which = f" of study {number} of {len(studies)}" if len(studies) > 1 else ""
            print_note(f"measuring some of the shapes{which} for moments")
            backend = study_backend(spec, settings, devices[0]).name
            made.append(make_plan(spec, len(devices), devices[0].partition(":")[0], backend))
    hours = sum(one.hours_by_workers[one.workers] for one in made)
    if json:
        several = {"schema": 1, "hours": hours, "plans": [one.as_json() for one in made]}
        json_format.dump(several if len(made) > 1 else made[0].as_json(), sys.stdout, indent=2)
        print()
        return
    for one in made:
        if len(made) > 1:
            typer.echo(f"---- {one.spec.name}")
        for line in format_plan(one):
            typer.echo(line)
    if len(made) > 1:
        typer.echo(f"---- all {len(made)} studies: {hours:,.2f} hours here")
