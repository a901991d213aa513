"""``psa results compare``: two sources cell by cell, or the modes of one against their control."""

from __future__ import annotations

from typing import Annotated

import typer

from psa_tui.cli.completion import names_of
from psa_tui.cli.options import Json, takes_settings
from psa_tui.cli.results import options
from psa_tui.errors import ConfigError
from psa_tui.settings import Settings
from psa_tui.views.messages import print_note


@takes_settings("results_dir")
def compare(
    settings: Settings,
    source: options.Source = "local",
    study: options.Study = None,
    other: Annotated[
        str,
        typer.Option(
            "--with", metavar="SOURCE", help="What to compare with: as --source.", autocompletion=names_of("source")
        ),
    ] = "published",
    other_study: Annotated[
        str | None,
        typer.Option(
            "--with-study", metavar="NAME", help="Which study of it: as --study.", autocompletion=names_of("study")
        ),
    ] = None,
    within: Annotated[
        bool, typer.Option("--within", help="Compare the ablative and further modes with none, within one source.")
    ] = False,
    zero_r: options.ZeroR = None,
    json: Json = False,
) -> None:
    """Compare every shape and mode with the published study's, or with any other source's.

    Difference of means with its 95 % interval (Welch), Mann-Whitney p after Holm's correction over all cells compared,
    whether the means are within 2 points, and whether the regimes agree. All in percent.
    """
    from psa_tui.analysis import comparison
    from psa_tui.analysis.comparison_text import control_text, sources_text
    from psa_tui.cli.results.loading import fraction, trials_of
    from psa_tui.cli.results.printing import described, print_json, print_text

    folder = settings.get("results_dir")
    ours = trials_of(source, study, folder)
    if within:
        cells = comparison.compare_with_control(ours)
        if json:
            print_json(described(ours) | {"selection": comparison.SELECTION}, cells=cells)
        else:
            print_text(*control_text(ours, cells))
        return
    theirs = trials_of(other, other_study, folder)
    cells = comparison.compare_sources(ours, theirs)
    try:
        regimes = comparison.compare_regimes(ours, theirs, fraction(zero_r))
    except ConfigError as error:
        print_note(f"no regimes: {error}")
        regimes = None
    if json:
        about = {"ours": described(ours), "theirs": described(theirs), "selection": comparison.SELECTION}
        print_json(about, cells=cells, **({} if regimes is None else {"regimes": regimes}))
    else:
        print_text(*sources_text(ours, theirs, cells, regimes))
