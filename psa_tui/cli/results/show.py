"""``psa results show``: everything the history has of one run."""

from __future__ import annotations

import json as json_format
import sys
from dataclasses import asdict
from typing import Annotated

import typer

from psa_tui.cli.completion import names_of
from psa_tui.cli.options import Json, takes_settings
from psa_tui.settings import Settings

Run = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="A run's name, or as much of its id as no other has, or latest.",
        autocompletion=names_of("run"),
    ),
]


@takes_settings("results_dir", "ascii")
def show(settings: Settings, run: Run, json: Json = False) -> None:
    """Show one run: its settings, its sessions, its bounty, its promotions and ablations, its checkpoint."""
    from psa_tui.runs.history import load_runs
    from psa_tui.views.output import draws_in_ascii
    from psa_tui.views.run_text import PAGE, checkpoint_state, format_run
    from psa_tui.views.wrapping import page_width, write_lines

    (found,) = load_runs(settings.get("results_dir"), [run])
    if json:
        content = {
            "schema": 1,
            "run": found.row.as_json(),
            "modes": found.modes,
            "setting_changes": [asdict(change) for change in found.setting_changes],
            "sessions": found.sessions,
            "promotions": found.promotions,
            "rollbacks": found.rollbacks,
            "non_finite": found.non_finite,
            "ablations_by_layer": found.ablations,
            "survived_ablations": found.survived_ablations,
            "ablated_dead_units": found.ablated_dead_units,
            "seconds": found.seconds,
            "median_loop_s": found.median_loop_s,
            "checkpoint": checkpoint_state(found.row),
            "meta_loops": [{"run": found.row.run} | loop.as_json() for loop in found.loops],
        }
        json_format.dump(content, sys.stdout, indent=2)
        print()
        return
    width = page_width(sys.stdout, PAGE)
    write_lines(sys.stdout, format_run(found, ascii_only=draws_in_ascii(settings), width=width))
