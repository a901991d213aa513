"""``psa study show``: a study's design, or one trial of it and the command that trains it alone."""

from __future__ import annotations

from typing import Annotated

import typer

from psa_tui.cli.completion import names_of
from psa_tui.cli.options import takes_settings
from psa_tui.cli.study import options
from psa_tui.settings import Settings


@takes_settings("results_dir")
def show(
    settings: Settings,
    study: options.Study = None,
    shape: Annotated[
        str | None,
        typer.Argument(metavar="SHAPE", help="Such as 18*18.", show_default=False, autocompletion=names_of("shape")),
    ] = None,
    mode: Annotated[
        str | None,
        typer.Argument(metavar="MODE", help="Such as output.", show_default=False, autocompletion=names_of("mode")),
    ] = None,
    trial: Annotated[
        int | None, typer.Argument(metavar="TRIAL", min=1, help="Counts from 1.", show_default=False)
    ] = None,
    recipe: options.Recipe = None,
) -> None:
    """Print a study's design as a study file; with SHAPE, MODE and TRIAL, the psa train command of that trial.

    The command draws the same numbers as the study; the last bits of its weights may differ, because the arithmetic of
    a population is grouped differently. On stderr: what the study has recorded of the trial.
    """
    from psa_tui.errors import ConfigError
    from psa_tui.formatting import printable
    from psa_tui.studies.chosen import ChosenStudies
    from psa_tui.studies.design.standing import standing
    from psa_tui.studies.study_file import format_study_file

    if study is not None and shape is not None and mode is not None and trial is not None:
        print_trial(settings, study, shape, mode, trial)
        return
    if shape is not None:
        raise ConfigError("a trial is named by SHAPE, MODE and TRIAL, as in psa study show mine 18*18 output 3")
    chosen = ChosenStudies(study=study, recipe=recipe, name=None, trials=None, meta_loops=None)
    for number, spec in enumerate(chosen.load(settings.get("results_dir"), to_show=True)):
        if number:
            typer.echo()
        for line in format_study_file(spec):
            typer.echo(line)
        registered = standing(settings.get("results_dir"), spec.name)
        for line in () if registered is None else registered.lines():
            typer.echo(f"# {printable(line)}")


def print_trial(settings: Settings, study: str, shape: str, mode: str, trial: int) -> None:
    """Print the command that trains one trial of a study alone, and what the study has of it.

    Raises:
        ConfigError: there is no such trial.
    """
    from psa_tui.errors import ConfigError
    from psa_tui.method.variants import find_variant
    from psa_tui.studies.generate import trial_command
    from psa_tui.studies.trial_lookup import find_trial, format_trial
    from psa_tui.views.messages import print_note

    try:
        variant = find_variant(mode)
    except ConfigError as error:
        raise ConfigError(f"MODE: {error}") from None
    spec, network, row = find_trial(settings.get("results_dir"), study, shape, variant, trial)
    typer.echo(trial_command(spec, network, variant, trial, settings.get("model_dir") / spec.name))
    print_note(format_trial(spec, row))
