"""``psa train``: start a run, or go on from the checkpoint."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from psa_tui.cli import options
from psa_tui.settings import load_settings


def train(
    arch: options.Arch = None,
    hidden_layers: options.HiddenLayers = None,
    mode: Annotated[
        str | None,
        typer.Option(
            "--mode",
            "--ablation-mode",
            metavar="MODE",
            help="none, decay, dropout, full, hidden or output (default none).",
        ),
    ] = None,
    lr: options.Lr = None,
    batch_size: options.BatchSize = None,
    meta_loops: Annotated[
        str | None, typer.Option(metavar="N", help="Meta-loops to run in this call (default 100).")
    ] = None,
    seed: Annotated[
        str | None, typer.Option(metavar="N", help="Seed of every random draw (default: random, and shown).")
    ] = None,
    weight_decay: options.WeightDecay = None,
    dropout: options.Dropout = None,
    dataset: options.DatasetName = None,
    dataset_dir: options.DatasetDir = None,
    model_dir: options.ModelDir = None,
    results_dir: options.ResultsDir = None,
    device: options.Device = None,
    threads: options.Threads = None,
    num_workers: Annotated[
        str | None,
        typer.Option(metavar="N", help="No effect: the data lie in memory and no loader processes are needed."),
    ] = None,
    plain: options.Plain = None,
    json: options.Json = None,
    quiet: options.Quiet = None,
    ascii: options.Ascii = None,
    save_svg: options.SaveSvg = None,
    tensorboard: options.TensorBoard = None,
    debug: options.Debug = None,
) -> None:
    """Train by Persistent Stochastic Ablation, going on from the checkpoint if there is one.

    Every option can also be a PSA_* variable (PSA_LR=1e-3), a line in .env or in psa.toml; psa config shows
    what is in force.
    """
    settings = load_settings(locals())
    config = settings.train_config()
    if settings.architecture().origin != "default":
        # Refuse what cannot fit before the libraries that would run it are loaded.
        from psa_tui.machine.memory import check_memory

        check_memory(config.architecture, config.batch_size)

    from psa_tui.cli.run_session import carry_out
    from psa_tui.runs import runner

    carry_out(settings, partial(runner.train, settings))
