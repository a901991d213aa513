"""``psa reproduce run``: train the trials of a study on this machine, or on a cluster."""

from __future__ import annotations

from typing import Annotated

import typer

from psa_tui.cli import options as common
from psa_tui.cli.reproduce import options
from psa_tui.cli.reproduce import request as wish
from psa_tui.cli.reproduce.request import make_wish
from psa_tui.settings import load_settings


def run(
    grid: wish.Grid = None,
    modes: wish.Modes = None,
    trials: wish.Trials = None,
    meta_loops: wish.MetaLoops = None,
    seed: wish.Seed = None,
    study: wish.Study = None,
    workers: options.Workers = None,
    max_hours: Annotated[
        float | None,
        typer.Option(metavar="H", min=0.0, help="Stop after so long; cheapest shapes first, so that most get done."),
    ] = None,
    max_params: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Leave shapes with more parameters for another time.")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="A few meta-loops of a few shapes: to see it work, no reproduction.")
    ] = False,
    on: Annotated[str, typer.Option(metavar="WHERE", help="local, or ray: a Ray cluster.")] = "local",
    address: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="An existing Ray cluster (default: a local one).")
    ] = None,
    lr: common.Lr = None,
    batch_size: common.BatchSize = None,
    weight_decay: common.WeightDecay = None,
    dropout: common.Dropout = None,
    dataset: common.DatasetName = None,
    dataset_dir: common.DatasetDir = None,
    results_dir: common.ResultsDir = None,
    device: common.Device = None,
    plain: common.Plain = None,
    json: common.Json = None,
    quiet: common.Quiet = None,
    ascii: common.Ascii = None,
    debug: common.Debug = None,
) -> None:
    """Train a study's trials, or go on with them: the study keeps its settings under its name.

    A cell (a shape with all its modes and trials) trains as a population. Ctrl-C commits what is done and
    leaves; the same command goes on. psa reproduce status shows it from another terminal.
    """
    given = locals()
    names = ("lr", "batch_size", "weight_decay", "dropout", "dataset", "dataset_dir", "results_dir", "device")
    settings = load_settings({name: given[name] for name in (*names, "plain", "json", "quiet", "ascii", "debug")})
    asked = make_wish(study, grid, modes, trials, meta_loops, seed, quick)

    from psa_tui.cli.reproduce.study_session import Session, carry_out

    carry_out(settings, asked, Session(workers, max_hours, max_params, on, address))
