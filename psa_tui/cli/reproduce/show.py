"""``psa reproduce show``: one trial of a study, and the command that trains it alone."""

from __future__ import annotations

from typing import Annotated

import typer

from psa_tui.cli import options as common
from psa_tui.cli.reproduce import request as wish
from psa_tui.settings import load_settings


def show(
    shape: Annotated[str, typer.Argument(metavar="SHAPE", help="Such as 18*18.", show_default=False)],
    mode: Annotated[str, typer.Argument(metavar="MODE", help="Such as output.", show_default=False)],
    trial: Annotated[int, typer.Argument(metavar="TRIAL", min=1, help="Counts from 1.", show_default=False)],
    study: wish.Study = None,
    results_dir: common.ResultsDir = None,
) -> None:
    """Print the psa train command with which a trial of a study can be trained, watched and resumed alone.

    It draws the same numbers as in the study; the last bits of its weights may differ, because the arithmetic
    of a population is grouped differently. On stderr: what the study has recorded of the trial.
    """
    settings = load_settings({"results_dir": results_dir})

    from psa_tui.cli.output import print_note
    from psa_tui.cli.reproduce.options import parse_modes
    from psa_tui.errors import ConfigError
    from psa_tui.studies.generate import trial_command
    from psa_tui.studies.grids import parse_shape
    from psa_tui.studies.request import DEFAULT_NAME
    from psa_tui.studies.trial_lookup import find_trial, format_trial

    chosen, *others = parse_modes(mode, None)
    if others:
        raise ConfigError("MODE: expected one mode, such as output")
    spec, row = find_trial(settings.get("results_dir"), study or DEFAULT_NAME, parse_shape(shape), chosen, trial)
    typer.echo(trial_command(spec, parse_shape(shape), chosen, trial, settings.get("model_dir")))
    print_note(format_trial(spec, row))
