"""``psa train --trials N``: N seeds of one setting as one population, kept as a study."""

from __future__ import annotations

from functools import partial

import typer

from psa_tui.cli.study.view import choose_view
from psa_tui.errors import ConfigError
from psa_tui.settings import Settings
from psa_tui.studies.session import SessionOptions, run_session
from psa_tui.studies.trials_of_setting import trials_study, trials_summary
from psa_tui.views.messages import print_note
from psa_tui.views.output import chosen_output, notifications
from psa_tui.views.study.text import format_trials_summary

_OF_A_RUN = ("name", "save_svg", "tensorboard", "threads", "init_seed")


def train_trials(settings: Settings, trials: int) -> None:
    """Train ``trials`` trials, or those that are missing, and say what all of them came to.

    Raises:
        PsaError: the trials cannot be trained, or an option is one of a single run.
    """
    for name in _OF_A_RUN:
        found = settings.find(name)
        if found is not None and found.origin.startswith("--"):
            raise ConfigError(f"{found.origin} is of a single run; leave it or --trials out")
    with notifications(settings) as notifying:
        spec = trials_study(settings, trials, print_note)
        code = run_session(spec, settings, SessionOptions(), partial(choose_view, settings), print_note, notifying)
    summary = trials_summary(settings.get("results_dir"), spec)
    if summary is not None and chosen_output(settings) != "json":
        for line in format_trials_summary(spec, summary):
            typer.echo(line)
    if code:
        raise typer.Exit(code)
