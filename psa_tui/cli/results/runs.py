"""``psa results runs``: the history of single runs, a sparkline each."""

from __future__ import annotations

import json as json_format
import sys
from typing import Annotated

import typer

from psa_tui.cli.options import Json, takes_settings
from psa_tui.settings import Settings
from psa_tui.views.messages import print_note

_PIPE_WIDTH = 240
TagFilter = Annotated[
    list[str] | None, typer.Option("--tag", metavar="TAG", help="Only runs with this tag; several: with all of them.")
]


@takes_settings("results_dir", "ascii")
def runs(
    settings: Settings,
    tag: TagFilter = None,
    limit: Annotated[int, typer.Option("--limit", "-n", metavar="N", min=1, help="List the N latest runs.")] = 20,
    json: Json = False,
) -> None:
    """List the latest single runs, newest first, with the validation accuracy of their loops as a sparkline."""
    from psa_tui.runs.history import latest_runs
    from psa_tui.views.output import draws_in_ascii

    found = latest_runs(settings.get("results_dir"), limit, tag or ())
    if json:
        content = [
            {
                **run.row.as_json(),
                "promotions": run.promotions,
                "seconds": run.seconds,
                "validation_accuracies": list(run.validation_accuracies),
            }
            for run in found
        ]
        json_format.dump({"schema": 1, "runs": content}, sys.stdout, indent=2)
        print()
    elif found:
        from rich.console import Console

        from psa_tui.views.run_table import print_runs

        console = Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH)
        print_runs(found, console, ascii_only=draws_in_ascii(settings))
    elif tag:
        print_note(f"no run in {settings.get('results_dir')} has the tag {' and '.join(tag)}")
    else:
        print_note(f"no runs in {settings.get('results_dir')}; psa train makes one")
