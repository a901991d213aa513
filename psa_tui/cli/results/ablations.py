"""``psa results ablations``: what helps and what harms in one run, by layer and by unit."""

from __future__ import annotations

import json as json_format
import sys
from typing import Annotated

import typer

from psa_tui.cli.options import Json, takes_settings
from psa_tui.cli.results.show import Run
from psa_tui.settings import Settings

_PIPE_WIDTH = 100


@takes_settings("results_dir", "ascii")
def ablations(
    settings: Settings,
    run: Run,
    most: Annotated[int, typer.Option("--limit", "-n", metavar="N", min=1, help="List N units of each kind.")] = 10,
    least: Annotated[
        int,
        typer.Option(metavar="N", min=1, help="List only units that were hit N times or more: one hit says little."),
    ] = 3,
    json: Json = False,
) -> None:
    """Show what ablations did in a run: by layer, beside chance, and the units that gained most and least by them.

    A gain is a candidate's validation accuracy above the LKG's, in points, where something alive was ablated; survived
    are such candidates that were promoted, with Wilson's interval of 95 %.
    """
    from rich.console import Console

    from psa_tui.analysis.ablations_text import ablations_json, units_text
    from psa_tui.analysis.run_results import load_run_results
    from psa_tui.cli.results.printing import print_text
    from psa_tui.views.glyphs import ASCII, UNICODE
    from psa_tui.views.layer_table import layer_table
    from psa_tui.views.output import draws_in_ascii

    results = load_run_results(settings.get("results_dir"), run)
    if json:
        json_format.dump({"schema": 1} | ablations_json(results), sys.stdout, indent=2)
        print()
        return
    print_text(results.name)
    if not results.statistics.every.ablated:
        print_text("nothing was ablated")
        return
    found = results.ablations
    console = Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH, highlight=False)
    glyphs = ASCII if draws_in_ascii(settings) else UNICODE
    lines = max(len(found.unit_counts), len(found.statistics.layers)) + 4
    console.print(layer_table(found, console.width, lines, glyphs))
    print_text(*units_text(found, most, least))
