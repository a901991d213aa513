"""``psa results compare``: two sources cell by cell, or ablative modes against their control."""

from __future__ import annotations

from typing import Annotated

import typer

from psa_tui.cli import options as common
from psa_tui.cli.results import options


def compare(
    source: options.Source = "local",
    study: options.Study = None,
    results_dir: common.ResultsDir = None,
    other: Annotated[
        str, typer.Option("--with", metavar="SOURCE", help="What to compare with: as --source.")
    ] = "published",
    other_study: Annotated[
        str | None, typer.Option("--with-study", metavar="NAME", help="Which study of it: as --study.")
    ] = None,
    within: Annotated[
        bool, typer.Option("--within", help="Compare the ablative modes with none, within one source.")
    ] = False,
    zero_r: options.ZeroR = None,
    json: options.Json = False,
) -> None:
    """Compare every shape and mode with the published study's, or with any other source's.

    Difference of means with its 95 % interval (Welch), Mann-Whitney p after Holm's correction over all cells compared,
    whether the means are within 2 points, and whether the regimes agree. All in percent.
    """
    from psa_tui.cli.results import compared
    from psa_tui.cli.results.loading import trials_of

    ours = trials_of(source, study, results_dir)
    if within:
        compared.show_control(ours, as_json=json)
        return
    theirs = trials_of(other, other_study, results_dir)
    compared.show_sources(ours, theirs, None if zero_r is None else zero_r / 100, as_json=json)
