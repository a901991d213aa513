"""``psa reproduce show``: one trial of a study, and the command that trains it alone."""

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
    shape: Annotated[
        str,
        typer.Argument(metavar="SHAPE", help="Such as 18*18.", show_default=False, autocompletion=names_of("shape")),
    ],
    mode: Annotated[
        str, typer.Argument(metavar="MODE", help="Such as output.", show_default=False, autocompletion=names_of("mode"))
    ],
    trial: Annotated[int, typer.Argument(metavar="TRIAL", min=1, help="Counts from 1.", show_default=False)],
    study: options.StudyName = None,
) -> None:
    """Print the psa train command with which a trial of a study can be trained, watched and resumed alone.

    Without --study: of reproduction, or of the only study there is.
    It draws the same numbers as in the study; the last bits of its weights may differ, because the arithmetic
    of a population is grouped differently. On stderr: what the study has recorded of the trial.
    """
    from psa_tui.cli.study.show import print_trial
    from psa_tui.studies.progress import load_progress
    from psa_tui.studies.request import DEFAULT_NAME

    found = load_progress(settings.get("results_dir"), study, DEFAULT_NAME).spec.name
    print_trial(settings, found, shape, mode, trial)
