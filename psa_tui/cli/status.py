"""``psa status``: the checkpoints here and the latest runs."""

from __future__ import annotations

import json as json_format
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from psa_tui.cli import options
from psa_tui.cli.output import print_note, print_warning
from psa_tui.formatting import percent
from psa_tui.settings import load_settings


def status(
    model_dir: options.ModelDir = None,
    results_dir: options.ResultsDir = None,
    runs: Annotated[int, typer.Option(metavar="N", min=0, max=1_000_000, help="List the N latest runs.")] = 10,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """List the checkpoints of the models folder and the latest runs."""
    settings = load_settings({"model_dir": model_dir, "results_dir": results_dir})

    from psa_tui.runs.status import list_checkpoints, list_runs

    checkpoints = list_checkpoints(settings.get("model_dir"))
    rows = list_runs(settings.get("results_dir"), runs)
    if json:
        content = {"schema": 1, "checkpoints": [asdict(c) for c in checkpoints], "runs": [asdict(r) for r in rows]}
        json_format.dump(content, sys.stdout, indent=2)
        print()
        return
    if checkpoints:
        _print_table(
            ["checkpoint", "shape", "parameters", "modes", "loops", "bounty", "at", "test"],
            [
                [
                    Path(c.path).name,
                    c.architecture,
                    f"{c.parameters:,}",
                    " ".join(f"{mode}@{loop}" if loop > 1 else mode for loop, mode in c.mode_history),
                    f"{c.meta_loop}/{c.last_meta_loop}",
                    percent(c.bounty),
                    str(c.bounty_meta_loop),
                    percent(c.test_accuracy),
                ]
                for c in checkpoints
                if c.problem is None
            ],
        )
    else:
        print_note(f"no checkpoint in {settings.get('model_dir')}; psa train makes one")
    for broken in checkpoints:
        if broken.problem is not None:
            print_warning(broken.problem)
    if rows:
        print()
        _print_table(
            ["run", "state", "shape", "mode", "seed", "data", "loops", "bounty", "test"],
            [
                [
                    r.run,
                    r.state,
                    r.architecture,
                    r.mode,
                    str(r.seed),
                    r.dataset,
                    f"{r.meta_loop}/{r.last_meta_loop}",
                    percent(r.bounty),
                    percent(r.test_accuracy),
                ]
                for r in rows
            ],
        )
    else:
        print_note(f"no runs in {settings.get('results_dir')}")


def _print_table(columns: list[str], rows: list[list[Any]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from psa_tui.formatting import printable

    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    # In a pipe there is no width to fit: a run's name must stay in one piece.
    Console(width=None if sys.stdout.isatty() else 240).print(table)
