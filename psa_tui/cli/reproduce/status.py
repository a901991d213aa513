"""``psa reproduce status``: where a study stands, also while it runs elsewhere."""

from __future__ import annotations

import json as json_format
import sys
from typing import TYPE_CHECKING

import typer

from psa_tui.cli.options import Json, takes_settings
from psa_tui.cli.reproduce import options
from psa_tui.settings import Settings

if TYPE_CHECKING:
    from psa_tui.studies.progress import StudyProgress


@takes_settings("results_dir")
def status(settings: Settings, study: options.Study = None, json: Json = False) -> None:
    """Show a study's progress by shape and mode, what failed and why, and the time left.

    It only reads, and may run while the study does.
    """
    from psa_tui.storage.locks import holder
    from psa_tui.studies.part_files import study_lock
    from psa_tui.studies.progress import load_progress
    from psa_tui.studies.request import DEFAULT_NAME

    folder, name = settings.get("results_dir"), study or DEFAULT_NAME
    progress = load_progress(folder, name)
    process = holder(study_lock(folder, name))
    if json:
        json_format.dump({**progress.as_json(), "run_by_process": process}, sys.stdout, indent=2)
        print()
        return
    _print(progress, process)


def _print(progress: StudyProgress, process: str | None) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from psa_tui.formatting import printable
    from psa_tui.views.study.text import format_cell, format_status, format_unbegun

    for line in format_status(progress, process):
        typer.echo(printable(line))
    modes = [variant.name for variant in progress.spec.variants]
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("shape", no_wrap=True)
    for mode in modes:
        table.add_column(Text(mode), no_wrap=True)
    cells = list(progress.cells)
    for start in range(0, len(cells), len(modes)):
        row = cells[start : start + len(modes)]
        if any(cell.meta_loops or cell.failed for cell in row):
            table.add_row(Text(row[0].shape), *(Text(format_cell(cell, progress.spec.meta_loops)) for cell in row))
    if table.row_count:
        typer.echo()
        Console(width=None if sys.stdout.isatty() else 160).print(table)
    for line in format_unbegun(progress):
        typer.echo(printable(line))
