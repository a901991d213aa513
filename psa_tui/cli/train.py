"""``psa train``: start a run, or go on from the checkpoint."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from psa_tui.cli.before_training import check_fits, confirm_changes
from psa_tui.cli.options import (
    HYPERPARAMETER_OPTIONS,
    NETWORK_OPTIONS,
    OUTPUT_OPTIONS,
    VARIANT_OPTIONS,
    Note,
    Tags,
    Yes,
    takes_settings,
)
from psa_tui.errors import ConfigError
from psa_tui.settings import Settings
from psa_tui.storage.labels import NO_LABELS, check_labels

Trials = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=1,
        max=10_000,
        help="N seeds of the setting as one population, kept as a study.",
        rich_help_panel="Hyperparameters",
    ),
]


@takes_settings(
    *NETWORK_OPTIONS,
    "mode",
    *VARIANT_OPTIONS,
    *HYPERPARAMETER_OPTIONS,
    "meta_loops",
    "seed",
    "init_seed",
    "dataset",
    "dataset_dir",
    "name",
    "model_dir",
    "results_dir",
    "device",
    "backend",
    "threads",
    "num_workers",
    *OUTPUT_OPTIONS,
    "save_svg",
    "tensorboard",
    "notify",
    "debug",
)
def train(settings: Settings, trials: Trials = None, tag: Tags = None, note: Note = None, yes: Yes = False) -> None:
    """Train by Persistent Stochastic Ablation, going on from the checkpoint if there is one.

    Options but --trials, --tag and --note can also be PSA_* variables (PSA_LR=1e-3), lines in .env or in psa.toml;
    psa config shows what is in force. A run with a --name has a folder to itself; one without is the models folder's.
    With --trials nothing is written there: the trials are a study, and the same command with a greater N adds to them.
    """
    labels = check_labels(tag or (), note)
    if trials is not None:
        if labels != NO_LABELS:
            raise ConfigError("--tag and --note are of a single run; leave them or --trials out")
        from psa_tui.cli.train_trials import train_trials

        train_trials(settings, trials)
        return
    check_fits(settings)
    from psa_tui.cli.run_session import carry_out
    from psa_tui.runs import runner

    confirm_changes(settings, runner.checkpoint_of(settings), yes=yes)
    carry_out(settings, partial(runner.train, settings, labels=labels))
