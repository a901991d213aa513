"""``psa reproduce plan``: what a study takes, before it is begun."""

from __future__ import annotations

import json as json_format
import sys
from typing import Annotated

import typer

from psa_tui.cli.options import Device
from psa_tui.cli.reproduce import options
from psa_tui.cli.reproduce import request as wish
from psa_tui.settings import load_settings


def plan(
    grid: wish.Grid = None,
    modes: wish.Modes = None,
    trials: wish.Trials = None,
    meta_loops: wish.MetaLoops = None,
    workers: options.Workers = None,
    device: Device = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Say what a study takes: hours here and on more workers, dollars in the cloud, disk and memory.

    Some of its shapes are trained for moments on all workers, about 20 seconds in all; the others follow from a
    cost model, whose error is stated. Nothing is written.
    """
    settings = load_settings({"device": device})
    asked = wish.make_wish(None, grid, modes, trials, meta_loops, None)

    from psa_tui.cli.output import print_note
    from psa_tui.engine.backends.torch.chunking import processes_for
    from psa_tui.machine.devices import choose, detect
    from psa_tui.method.variants import AblationMode
    from psa_tui.studies.grids import parse_grid
    from psa_tui.studies.plan import make_plan
    from psa_tui.studies.spec import StudySpec
    from psa_tui.views.study.plan import format_plan

    spec = StudySpec(
        name="plan",
        shapes=asked.shapes or parse_grid("published"),
        modes=asked.modes or tuple(AblationMode),
        trials=asked.trials or 10,
        meta_loops=asked.meta_loops or 100,
        seed=0,
        dataset="mnist",
        dataset_fingerprint="",
        batch_size=settings.get("batch_size"),
    )
    chosen = choose(settings.get("device"), detect()).device
    count = workers or processes_for(len(spec.shapes) * len(spec.modes) * spec.trials, chosen)
    print_note("measuring some of the shapes for moments")
    made = make_plan(spec, count, chosen)
    if json:
        json_format.dump(made.as_json(), sys.stdout, indent=2)
        print()
        return
    for line in format_plan(made):
        typer.echo(line)
