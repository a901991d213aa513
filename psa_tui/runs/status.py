"""The checkpoints of a folder and the latest runs of the history. No torch."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from psa_tui.errors import CheckpointError, ConfigError
from psa_tui.runs.checkpoint_files import named_folders
from psa_tui.runs.resuming import holds_run
from psa_tui.storage.checkpoint import previous_path, read_checkpoint
from psa_tui.storage.cleaning import opened
from psa_tui.storage.locks import holder
from psa_tui.storage.run_store import RunRow, read_runs
from psa_tui.storage.trash import in_trash


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointSummary:
    """A checkpoint at a glance; when ``problem`` is set the file is unreadable and all else is empty."""

    path: str
    name: str | None = None
    """The run's, that is its folder's; None for a checkpoint in the models folder itself."""
    problem: str | None = None
    run: str = ""
    network: str = ""
    architecture: str = ""
    parameters: int = 0
    mode_history: tuple[tuple[int, str], ...] = ()
    dataset: str = ""
    seed: int = 0
    meta_loop: int = 0
    last_meta_loop: int = 0
    bounty: float | None = None
    bounty_meta_loop: int = 0
    lkg_accuracy: float | None = None
    lkg_meta_loop: int = 0
    test_accuracy: float | None = None
    trained_by: str | None = None
    """The process that is training it at this moment."""


def list_checkpoints(folder: Path, name: str | None = None) -> list[CheckpointSummary]:
    """The checkpoints in the models ``folder``, then those of its runs with names, or of the run ``name`` alone.

    Previous generations are not listed.
    """
    if name is not None:
        return _in_folder(folder / name, name)
    named = [_in_folder(folder / one, one) for one in sorted(named_folders(folder))]
    return sum(named, _in_folder(folder, None))


def _in_folder(folder: Path, name: str | None) -> list[CheckpointSummary]:
    try:
        os.scandir(folder).close()
    except FileNotFoundError:
        return []
    except OSError as error:
        problem = f"{folder}: cannot be read ({error.strerror}); see to its permissions, or say --model-dir"
        return [CheckpointSummary(path=str(folder), name=name, problem=problem)]
    paths = {path for path in folder.glob("*.safetensors") if not path.name.startswith(".")}
    return [_summary(path, name) for path in sorted(paths - {previous_path(path) for path in paths})]


def count_trash(folder: Path) -> tuple[int, int]:
    """How many files are in the trash of the models ``folder``, and how many bytes they have."""
    # Where the folder is a link or cannot be read, psa clean makes no trash either.
    with suppress(ConfigError), opened(folder) as models:
        sizes = [entry.size_bytes for _, entry in in_trash(models)] if models is not None else []
        return len(sizes), sum(sizes)
    return 0, 0


def list_runs(folder: Path, limit: int, name: str | None = None) -> list[RunRow]:
    """The latest runs of the history in ``folder``, or those called ``name``.

    One that claims to run but has no process is interrupted.
    """
    with read_runs(folder) as store:
        if store is None:
            return []
        rows = [row for row in store.latest(limit if name is None else -1) if name in (None, row.name)]
        return [with_actual_state(row) for row in rows[:limit]]


def run_names(folder: Path, limit: int = 200) -> list[str]:
    """What the latest runs of the history in ``folder`` can be called by: their names, or else their ids."""
    with read_runs(folder) as store:
        return [] if store is None else list(dict.fromkeys(row.name or row.run for row in store.latest(limit)))


def with_actual_state(row: RunRow) -> RunRow:
    """The row, with the state "interrupted" when it claims to run and no process works on it."""
    if row.state == "running" and not _is_trained(Path(row.checkpoint), row.run):
        return replace(row, state="interrupted")
    return row


def _is_trained(path: Path, run: str) -> bool:
    """Whether a process is training ``run`` at ``path``; another run may have taken its place there."""
    return holder(path) is not None and holds_run(path, run)


def _summary(path: Path, name: str | None) -> CheckpointSummary:
    try:
        record = read_checkpoint(path).record
    except CheckpointError as error:
        return CheckpointSummary(path=str(path), name=name, problem=str(error))
    return CheckpointSummary(
        path=str(path),
        name=name,
        run=record.run,
        network=record.network,
        architecture=record.architecture,
        parameters=record.parameters,
        mode_history=record.mode_history,
        dataset=record.dataset,
        seed=record.seed,
        meta_loop=record.progress.meta_loop,
        last_meta_loop=record.last_meta_loop,
        bounty=record.progress.bounty,
        bounty_meta_loop=record.progress.best_meta_loop,
        lkg_accuracy=record.progress.lkg_accuracy,
        lkg_meta_loop=record.progress.lkg_meta_loop,
        test_accuracy=record.test_accuracy,
        trained_by=holder(path),
    )
