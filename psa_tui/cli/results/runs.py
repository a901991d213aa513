"""``psa results runs``: the history of single runs, a sparkline each."""

from __future__ import annotations

import json as json_format
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from psa_tui.cli.options import Json, takes_settings
from psa_tui.formatting import percent, printable
from psa_tui.settings import Settings
from psa_tui.views.messages import print_note

if TYPE_CHECKING:
    from psa_tui.runs.history import RunOverview

_PIPE_WIDTH = 240
_SPARKLINE_WIDTHS = (8, 40)


@takes_settings("results_dir", "ascii")
def runs(
    settings: Settings,
    limit: Annotated[int, typer.Option("--limit", "-n", metavar="N", min=1, help="List the N latest runs.")] = 20,
    json: Json = False,
) -> None:
    """List the latest single runs, newest first, with the validation accuracy of their loops as a sparkline."""
    from psa_tui.runs.history import latest_runs
    from psa_tui.views.output import draws_in_ascii

    found = latest_runs(settings.get("results_dir"), limit)
    if json:
        content = [
            {
                **run.row.as_json(),
                "promotions": run.promotions,
                "validation_accuracies": list(run.validation_accuracies),
            }
            for run in found
        ]
        json_format.dump({"schema": 1, "runs": content}, sys.stdout, indent=2)
        print()
    elif found:
        _print_table(found, draws_in_ascii(settings))
    else:
        print_note(f"no runs in {settings.get('results_dir')}; psa train makes one")


def _print_table(found: list[RunOverview], ascii_only: bool) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from psa_tui.views.sparkline import sparkline

    def table(sparkline_width: int) -> Table:
        columns = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
        for name in ("run", "state", "shape", "mode", "data", "loops", "bounty"):
            columns.add_column(name, no_wrap=name != "shape", overflow="fold")
        columns.add_column("accuracy", no_wrap=True)
        for run in found:
            row = run.row
            cells = [
                row.run,
                row.state,
                row.architecture,
                row.mode,
                row.dataset,
                f"{row.meta_loop}/{row.last_meta_loop}",
            ]
            curve = sparkline(run.validation_accuracies, sparkline_width, ascii_only=ascii_only)
            columns.add_row(*(Text(printable(cell)) for cell in (*cells, percent(row.bounty), curve or "-")))
        return columns

    console = Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH)
    least, most = _SPARKLINE_WIDTHS
    spare = console.width - console.measure(table(least)).maximum
    console.print(table(min(least + max(spare, 0), most)))
