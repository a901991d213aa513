"""``psa train``: start a run, or go on from the checkpoint."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from psa_tui.cli.options import HYPERPARAMETER_OPTIONS, NETWORK_OPTIONS, OUTPUT_OPTIONS, VARIANT_OPTIONS, takes_settings
from psa_tui.settings import Settings

Trials = Annotated[
    int | None,
    typer.Option(metavar="N", min=1, max=10_000, help="N seeds of the setting as one population, kept as a study."),
]


@takes_settings(
    *NETWORK_OPTIONS,
    "mode",
    *VARIANT_OPTIONS,
    *HYPERPARAMETER_OPTIONS,
    "meta_loops",
    "seed",
    "dataset",
    "dataset_dir",
    "model_dir",
    "results_dir",
    "device",
    "backend",
    "threads",
    "num_workers",
    *OUTPUT_OPTIONS,
    "save_svg",
    "tensorboard",
    "debug",
)
def train(settings: Settings, trials: Trials = None) -> None:
    """Train by Persistent Stochastic Ablation, going on from the checkpoint if there is one.

    Every option can also be a PSA_* variable (PSA_LR=1e-3), a line in .env or in psa.toml; psa config shows
    what is in force. With --trials nothing is written to the models folder: the trials are a study, and the same
    command with a greater N adds to them.
    """
    if trials is not None:
        from psa_tui.cli.train_trials import train_trials

        train_trials(settings, trials)
        return
    trial = settings.run_config().trial
    if settings.network().origin != "default":
        # Refuse what cannot fit before the libraries that would run it are loaded.
        from psa_tui.machine.memory import check_memory

        check_memory(
            trial.network,
            trial.hyperparameters.batch_size,
            settings.dataset_spec().train_count,
            trial.variant.kept_copies,
        )

    from psa_tui.cli.run_session import carry_out
    from psa_tui.runs import runner

    carry_out(settings, partial(runner.train, settings))
