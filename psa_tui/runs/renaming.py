"""Giving a run another name: its folder moves under its locks, then the history follows.

A kill between the two leaves the folder with the new name and a history that tells the old one; the same command again,
or a resume by the new name, mends that.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path

from psa_tui.errors import CheckpointError, ConfigError
from psa_tui.formatting import printable
from psa_tui.runs.resuming import holds_run
from psa_tui.storage.checkpoint import previous_path
from psa_tui.storage.labels import Labels
from psa_tui.storage.locks import locked
from psa_tui.storage.run_store import RunRow, RunStore


def rename(store: RunStore, row: RunRow, name: str) -> None:
    """Call the run of ``row`` ``name``; its folder, and every run that has its checkpoint there, go with it.

    Raises:
        ConfigError: it has no folder of its own, its checkpoint is not there, or the new name is taken.
        CheckpointError: a process trains there, or the folder cannot be moved.
    """
    home = Path(row.checkpoint).parent
    there = home.with_name(name)
    if row.name is None or home.name != row.name:
        raise ConfigError(f"run {row.run} has no name, and so no folder of its own; a run with a name gets another")
    if name == row.name:
        return
    tenants = [one for one in store.latest(-1) if Path(one.checkpoint).parent == home]
    if not holds_run(Path(row.checkpoint), row.run):
        if not holds_run(there / Path(row.checkpoint).name, row.run):
            raise ConfigError(
                f"the checkpoint of {row.name} is gone, or another run's now: {printable(row.checkpoint)}; "
                "psa clean --undo brings back what was deleted last"
            )
    elif os.path.lexists(there):
        raise ConfigError(f"there is {printable(there)} already; choose another name")
    else:
        _move(home, there)
    for one in tenants:
        moved = there / Path(one.checkpoint).name
        if holds_run(moved, one.run):
            store.label(one.run, Labels(name=name), checkpoint=moved)


def _move(home: Path, there: Path) -> None:
    with ExitStack() as stack:
        files = set(home.glob("*.safetensors"))
        for file in sorted(files - {previous_path(one) for one in files}):
            stack.enter_context(locked(file))
        try:
            os.rename(home, there)
            descriptor = os.open(home.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            stack.callback(os.close, descriptor)
            os.fsync(descriptor)
        except OSError as error:
            raise CheckpointError(f"{printable(home)}: cannot be moved to {there.name} ({error.strerror})") from None
