"""``psa status``: the checkpoints here and the latest runs."""

from __future__ import annotations

import json as json_format
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from psa_tui.cli.options import Json, takes_settings
from psa_tui.errors import ConfigError, HistoryError
from psa_tui.formatting import count, did_you_mean, format_bytes
from psa_tui.settings import Settings
from psa_tui.views.messages import print_note, print_warning
from psa_tui.views.tables import print_names

if TYPE_CHECKING:
    from psa_tui.storage.run_store import RunRow


@takes_settings("name", "model_dir", "results_dir")
def status(
    settings: Settings,
    runs: Annotated[int, typer.Option(metavar="N", min=0, max=1_000_000, help="List the N latest runs.")] = 10,
    json: Json = False,
) -> None:
    """List the checkpoints of the models folder and the latest runs, or those of the run of a --name."""
    from psa_tui.runs.status import count_trash, list_checkpoints, list_runs, run_names
    from psa_tui.views.status import (
        CHECKPOINT_COLUMNS,
        CHECKPOINT_SPARE,
        RUN_COLUMNS,
        RUN_SPARE,
        checkpoint_cells,
        run_cells,
    )

    name = settings.get("name")
    checkpoints = list_checkpoints(settings.get("model_dir"), name)
    good = [one for one in checkpoints if one.problem is None]
    files, size_bytes = count_trash(settings.get("model_dir"))
    rows: list[RunRow] = []
    unreadable = None
    try:
        rows = list_runs(settings.get("results_dir"), runs, name)
    except HistoryError as error:
        unreadable = error  # What is wrong with the history does not hide the checkpoints.
    if name is not None and not checkpoints and not rows and unreadable is None:
        hint = did_you_mean(name, run_names(settings.get("results_dir")))
        raise ConfigError(f"--name {name}: no such run; psa status lists those there are{hint}")
    if json:
        content = {
            "schema": 1,
            "checkpoints": [asdict(one) for one in checkpoints],
            "trash": {"files": files, "bytes": size_bytes},
            "runs": [row.as_json() for row in rows],
        }
        json_format.dump(content, sys.stdout, indent=2)
        print()
    elif good:
        print_names(CHECKPOINT_COLUMNS, [checkpoint_cells(one) for one in good], CHECKPOINT_SPARE)
    elif not checkpoints:
        print_note(f"no checkpoint in {settings.get('model_dir')}; psa train makes one")
    for broken in checkpoints:
        if broken.problem is not None and not json:
            print_warning(broken.problem)
    if files and not json:
        what = f"{count(files, 'file')} ({format_bytes(size_bytes)})"
        print_note(f"in the trash: {what}; psa clean --undo brings the last back, psa clean --purge deletes")
    if unreadable is not None:
        raise unreadable
    if json:
        return
    if rows:
        print()
        print_names(RUN_COLUMNS, [run_cells(row) for row in rows], RUN_SPARE)
    else:
        print_note(f"no runs in {settings.get('results_dir')}")
