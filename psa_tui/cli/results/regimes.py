"""``psa results regimes``: how each shape trains, and how sure that is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from psa_tui.cli import options as common
from psa_tui.cli.results import options

if TYPE_CHECKING:
    from pandas import DataFrame


def regimes(
    source: options.Source = "local",
    study: options.Study = None,
    results_dir: common.ResultsDir = None,
    explain: Annotated[
        str | None, typer.Option(metavar="SHAPE", help="Which rule decided this shape, and the numbers it read.")
    ] = None,
    zero_r: options.ZeroR = None,
    resamples: Annotated[int, typer.Option(metavar="N", min=100, max=100_000, help="Bootstrap resamples.")] = 1000,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Seed of the bootstrap.")] = 0,
    json: options.Json = False,
) -> None:
    """Classify every shape: untrainable, optimal, chaotic or beneficial.

    The probability is the share of bootstrap resamples of the trials with the same regime; below 95 % the shape is
    near a boundary ("?"). It needs two trials of each mode.
    """
    from psa_tui.analysis import regimes as rules
    from psa_tui.analysis.summary import missing_cells
    from psa_tui.cli.results.loading import trials_of
    from psa_tui.cli.results.presenting import described, print_json

    trials = trials_of(source, study, results_dir)
    z = None if zero_r is None else zero_r / 100
    if explain is not None:
        print("\n".join(rules.explain(trials, explain, z)))
        return
    table = rules.classify(trials, z).merge(rules.bootstrap(trials, resamples, seed, z), on="architecture")
    incomplete = set(missing_cells(trials)["architecture"])
    table["complete"] = [architecture not in incomplete for architecture in table["architecture"]]
    table.attrs = dict(trials.attrs)
    if json:
        print_json(described(trials) | {"resamples": resamples, "seed": seed}, shapes=table)
    else:
        _print(table)


def _print(table: DataFrame) -> None:
    from psa_tui.analysis.regimes import Regime
    from psa_tui.cli.results.presenting import NO_NUMBER, print_about, print_paragraph, print_rows

    rows = []
    for row in table.itertuples():
        sure = NO_NUMBER if row.probability != row.probability else f"{row.probability:.0%}"
        others = [(getattr(row, regime), regime) for regime in Regime if regime != row.regime]
        other = max(others, key=lambda found: found[0]) if row.near_boundary else None
        regime = row.regime or f"no trials of {', '.join(row.missing.split())}"
        if row.regime and not row.complete:
            regime = f"{regime} *"
        near = f"? {other[1]} {other[0]:.0%}" if other else ""
        rows.append([row.architecture, regime, near, row.rule or NO_NUMBER, sure, f"{row.parameters:,}"])
    print_about(table)
    print_rows(["shape", "regime", "or", "rule", "probability", "parameters"], rows, words=3)
    counts = table["regime"].value_counts()
    found = [f"{counts[regime]} {regime}" for regime in Regime if regime in counts]
    unknown = int(table["regime"].isna().sum())
    found += [f"{unknown} without all six modes"] if unknown else []
    near_count = int(table["near_boundary"].sum())
    print_paragraph(f"{len(table)} shapes: {', '.join(found) or 'none'}; {near_count} near a boundary")
    provisional = int((~table["complete"] & table["regime"].notna()).sum())
    if provisional:
        print_paragraph(f"* provisional: {provisional} of them lack trials")
