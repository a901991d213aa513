"""``psa reproduce show``: one trial of a study, and the command that trains it alone."""

from __future__ import annotations

from typing import Annotated

import typer

from psa_tui.cli.options import takes_settings
from psa_tui.cli.reproduce import options
from psa_tui.settings import Settings


@takes_settings("results_dir")
def show(
    settings: Settings,
    shape: Annotated[str, typer.Argument(metavar="SHAPE", help="Such as 18*18.", show_default=False)],
    mode: Annotated[str, typer.Argument(metavar="MODE", help="Such as output.", show_default=False)],
    trial: Annotated[int, typer.Argument(metavar="TRIAL", min=1, help="Counts from 1.", show_default=False)],
    study: options.Study = None,
) -> None:
    """Print the psa train command with which a trial of a study can be trained, watched and resumed alone.

    It draws the same numbers as in the study; the last bits of its weights may differ, because the arithmetic
    of a population is grouped differently. On stderr: what the study has recorded of the trial.
    """
    from psa_tui.errors import ConfigError
    from psa_tui.studies.generate import trial_command
    from psa_tui.studies.grids import parse_modes
    from psa_tui.studies.request import DEFAULT_NAME
    from psa_tui.studies.trial_lookup import find_trial, format_trial
    from psa_tui.views.messages import print_note

    variant, *others = parse_modes(mode, None)
    if others:
        raise ConfigError("MODE: expected one mode, such as output")
    spec, network, row = find_trial(settings.get("results_dir"), study or DEFAULT_NAME, shape, variant, trial)
    typer.echo(trial_command(spec, network, variant, trial, settings.get("model_dir") / spec.name))
    print_note(format_trial(spec, row))
