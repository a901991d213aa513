"""``psa study status``: where a study stands, also while it runs elsewhere."""

from __future__ import annotations

import json as json_format
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

import typer

from psa_tui.cli.options import Json, takes_settings
from psa_tui.cli.study import options
from psa_tui.settings import Settings

if TYPE_CHECKING:
    from psa_tui.studies.progress import StudyProgress


@takes_settings("results_dir")
def status(settings: Settings, study: options.BegunStudy = None, json: Json = False) -> None:
    """Show a study's progress by shape and mode, what failed and why, and the time left.

    It only reads, and may run while the study does.
    """
    print_status(settings, study, json=json)


def print_status(settings: Settings, study: str | None, *, json: bool, default: str | None = None) -> None:
    """Print where ``study`` stands; None is ``default``, or the only one there is.

    Raises:
        ConfigError: no study of that name was begun, or none is named and there are several.
        HistoryError: the database cannot be read.
    """
    from psa_tui.storage.locks import holder
    from psa_tui.studies.design.standing import standing
    from psa_tui.studies.part_files import study_lock
    from psa_tui.studies.progress import load_progress

    folder = settings.get("results_dir")
    progress = load_progress(folder, study, default)
    process = holder(study_lock(folder, progress.spec.name))
    registered = standing(folder, progress.spec.name)
    if json:
        more = {} if registered is None else {"registration": registered.as_json()}
        json_format.dump({**progress.as_json(), "run_by_process": process, **more}, sys.stdout, indent=2)
        print()
        return
    _print(progress, process, () if registered is None else registered.lines())


def _print(progress: StudyProgress, process: str | None, registered: Iterable[str]) -> None:
    from psa_tui.views.study.text import format_cell, format_status, format_unbegun
    from psa_tui.views.tables import print_table
    from psa_tui.views.wrapping import write_lines

    write_lines(sys.stdout, (*format_status(progress, process), *registered))
    modes = [variant.name for variant in progress.spec.variants]
    cells = list(progress.cells)
    rows = [cells[start : start + len(modes)] for start in range(0, len(cells), len(modes))]
    begun = [row for row in rows if any(cell.meta_loops or cell.failed for cell in row)]
    if begun:
        typer.echo()
        print_table(
            ["shape", *modes],
            [[row[0].shape, *(format_cell(cell, progress.spec.meta_loops) for cell in row)] for row in begun],
            words=1,
        )
    write_lines(sys.stdout, format_unbegun(progress))
