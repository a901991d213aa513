"""``psa reproduce status``: where a study stands, also while it runs elsewhere."""

from __future__ import annotations

import json as json_format
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from psa_tui.cli.options import ResultsDir
from psa_tui.cli.reproduce import request as wish
from psa_tui.settings import load_settings

if TYPE_CHECKING:
    from psa_tui.studies.progress import StudyProgress


def status(
    study: wish.Study = None,
    results_dir: ResultsDir = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Show a study's progress by shape and mode, what failed and why, and the time left.

    It only reads, and may run while the study does.
    """
    settings = load_settings({"results_dir": results_dir})

    from psa_tui.errors import ConfigError
    from psa_tui.storage.locks import holder
    from psa_tui.storage.study_store import LOCAL, read_store
    from psa_tui.studies.driver import study_folder
    from psa_tui.studies.progress import study_progress
    from psa_tui.studies.request import DEFAULT_NAME

    folder, name = settings.get("results_dir"), study or DEFAULT_NAME
    with read_store(folder) as store:
        rows = [] if store is None else [row for row in store.studies() if row.source == LOCAL]
        found = next((row for row in rows if row.study == name), None)
        if store is None or found is None:
            others = ", ".join(row.study for row in rows) or "none"
            raise ConfigError(
                f"no study {name[:80]!r} was begun in {folder}; begun there: {others} "
                "(--study says which, psa reproduce run begins one)"
            )
        progress = study_progress(found.spec(), store.trials(name), store.sessions(name))
    process = holder(study_folder(folder, name) / "study")
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
    modes = [str(mode) for mode in progress.spec.modes]
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("shape", no_wrap=True)
    for mode in modes:
        table.add_column(mode, no_wrap=True)
    cells = list(progress.cells)
    for start in range(0, len(cells), len(modes)):
        row = cells[start : start + len(modes)]
        if any(cell.meta_loops or cell.failed for cell in row):
            table.add_row(Text(row[0].shape), *(Text(format_cell(cell, progress.spec.meta_loops)) for cell in row))
    if table.row_count:
        typer.echo()
        Console(width=None if sys.stdout.isatty() else 160).print(table)
    for line in format_unbegun(progress):
        typer.echo(line)
