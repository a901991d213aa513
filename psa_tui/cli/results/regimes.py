"""``psa results regimes``: how each shape trains, and how sure that is."""

from __future__ import annotations

from typing import Annotated

import typer

from psa_tui.cli.options import Json, takes_settings
from psa_tui.cli.results import options
from psa_tui.settings import Settings


@takes_settings("results_dir")
def regimes(
    settings: Settings,
    source: options.Source = "local",
    study: options.Study = None,
    explain: Annotated[
        str | None, typer.Option(metavar="SHAPE", help="Which rule decided this shape, and the numbers it read.")
    ] = None,
    zero_r: options.ZeroR = None,
    resamples: Annotated[int, typer.Option(metavar="N", min=100, max=100_000, help="Bootstrap resamples.")] = 1000,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Seed of the bootstrap.")] = 0,
    json: Json = False,
) -> None:
    """Classify every shape: untrainable, optimal, chaotic or beneficial.

    The probability is the share of bootstrap resamples of the trials with the same regime; below 95 % the shape is
    near a boundary ("?"). It needs two trials of each of the published modes; no other mode has a say.
    """
    from psa_tui.analysis import regimes as rules
    from psa_tui.analysis.regimes_text import regimes_text
    from psa_tui.analysis.summary import incomplete_shapes
    from psa_tui.cli.results.loading import fraction, trials_of
    from psa_tui.cli.results.printing import described, print_json, print_text

    trials = trials_of(source, study, settings.get("results_dir"))
    z = fraction(zero_r)
    if explain is not None:
        print("\n".join(rules.explain(trials, explain, z)))
        return
    table = rules.classify(trials, z).merge(rules.bootstrap(trials, resamples, seed, z), on="architecture")
    incomplete = incomplete_shapes(trials)
    table["complete"] = [architecture not in incomplete for architecture in table["architecture"]]
    table.attrs = dict(trials.attrs)
    if json:
        print_json(described(trials) | {"resamples": resamples, "seed": seed}, shapes=table)
    else:
        print_text(*regimes_text(table))
