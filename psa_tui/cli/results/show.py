"""``psa results show``: everything the history has of one run."""

from __future__ import annotations

import json as json_format
import sys
from dataclasses import asdict
from typing import Annotated

import typer

from psa_tui.cli import options
from psa_tui.formatting import printable
from psa_tui.settings import load_settings

Run = Annotated[
    str, typer.Argument(metavar="RUN", help="A run's name, as much of it as no other run's has, or latest.")
]


def show(
    run: Run,
    results_dir: options.ResultsDir = None,
    ascii: options.Ascii = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Show one run: its settings, its sessions, its bounty, its promotions and ablations, its checkpoint."""
    settings = load_settings({"results_dir": results_dir, "ascii": ascii})

    from psa_tui.cli.run_session import draws_in_ascii
    from psa_tui.runs.history import load_runs
    from psa_tui.views.run_text import checkpoint_state, format_run

    (found,) = load_runs(settings.get("results_dir"), [run])
    if json:
        content = {
            "schema": 1,
            "run": asdict(found.row),
            "modes": found.modes,
            "sessions": found.sessions,
            "promotions": found.promotions,
            "rollbacks": found.rollbacks,
            "non_finite": found.non_finite,
            "ablations_by_layer": found.ablations,
            "survived_ablations": found.survived_ablations,
            "median_loop_s": found.median_loop_s,
            "checkpoint": checkpoint_state(found.row),
            "meta_loops": found.loops,
        }
        json_format.dump(content, sys.stdout, indent=2)
        print()
        return
    for line in format_run(found, ascii_only=draws_in_ascii(settings)):
        print(printable(line))
