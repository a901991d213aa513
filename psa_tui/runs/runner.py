"""Starting and resuming single runs: what to run, under the checkpoint's lock."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from psa_tui.data import dataset_spec, is_own
from psa_tui.errors import CheckpointError, ConfigError
from psa_tui.machine.memory import check_memory
from psa_tui.method.events import Outcome, RunFinished
from psa_tui.runs.checkpoint_files import checkpoint_name, find_checkpoint
from psa_tui.runs.context import RunContext
from psa_tui.runs.record import finished_event
from psa_tui.runs.resuming import (
    check_no_orphan,
    check_same_images,
    check_same_run,
    checkpoint_settings,
    is_same_place,
    pinned_settings,
)
from psa_tui.runs.session import RunSession
from psa_tui.settings import RunConfig, Settings
from psa_tui.storage.atomic_write import make_folder
from psa_tui.storage.checkpoint import Checkpoint, read_checkpoint
from psa_tui.storage.header import Record
from psa_tui.storage.labels import NO_LABELS, Labels
from psa_tui.storage.locks import locked
from psa_tui.storage.run_store import open_runs, read_runs


def train(settings: Settings, context: RunContext, labels: Labels = NO_LABELS) -> RunFinished:
    """Start a run, or go on from the checkpoint in the run's folder for ``meta_loops`` more.

    Args:
        labels: what the run is called from now on, besides its name, which the settings have.

    Raises:
        ConfigError: the settings contradict each other, the checkpoint or this machine.
        CheckpointError, DataError, HistoryError, RetryableError: as their names say; every file is intact.
    """
    config = settings.run_config()
    path = checkpoint_of(settings)
    make_folder(config.model_dir, "--model-dir", CheckpointError)
    with locked(path):
        if not path.exists():
            check_no_orphan(path, config.name)
            return _run(path, config, None, config.trial.meta_loops, context, labels)
        checkpoint = read_checkpoint(path)
        check_same_run(settings, path, checkpoint.record)
        config = settings.with_checkpoint(checkpoint_settings(checkpoint.record)).run_config()
        if not is_own(config.trial.dataset):
            config = replace(config, trial=replace(config.trial, dataset=checkpoint.record.data_source))
        check_same_images(config.trial.variant, path, checkpoint.record, config.name)
        last = checkpoint.record.progress.meta_loop + config.trial.meta_loops
        return _run(path, config, checkpoint, last, context, labels)


def resume(settings: Settings, add: int, context: RunContext) -> RunFinished | None:
    """Finish the run of the checkpoint in the run's folder, after adding ``add`` meta-loops to it.

    Returns:
        None when nothing is left to do.

    Raises:
        As ``train``; also CheckpointError when there is no checkpoint.
    """
    path = find_checkpoint(settings.run_folder())
    named = settings.named_network()
    record = read_checkpoint(path).record
    if named not in (None, record.network):
        raise ConfigError(f"{path} was trained with network {record.network}, and {named} was asked for")
    with locked(path):
        checkpoint = read_checkpoint(path)
        record = checkpoint.record
        if record.complete and not add:
            _repair_end(record, path, settings)
            return None
        config = settings.with_checkpoint(
            checkpoint_settings(record), pinned=pinned_settings(settings, record)
        ).run_config()
        return _run(path, config, checkpoint, record.last_meta_loop + add, context)


def _repair_end(record: Record, path: Path, settings: Settings) -> None:
    """Let the history say that a complete run is finished, where a fault at its last write left something else."""
    folder: Path = settings.get("results_dir")
    with read_runs(folder) as history:
        row = None if history is None else history.run(record.run)
    if row is None or row.state == Outcome.FINISHED or not is_same_place(Path(row.checkpoint), path):
        return
    config = settings.with_checkpoint(
        checkpoint_settings(record), pinned=pinned_settings(settings, record)
    ).run_config()
    with open_runs(folder) as store:
        store.end(finished_event(record, Outcome.FINISHED, "", config, 0.0))


def checkpoint_of(settings: Settings) -> Path:
    """Return the file of the run that settings mean; what they do not say may come from the only one there is."""
    folder = settings.run_folder()
    if not settings.is_explicit("network") and not settings.is_explicit("dataset"):
        return find_checkpoint(folder)
    spec = settings.dataset_spec()
    return folder / checkpoint_name(settings.get("network"), spec.name, spec.input_shape)


def _run(
    path: Path,
    config: RunConfig,
    checkpoint: Checkpoint | None,
    last_meta_loop: int,
    context: RunContext,
    labels: Labels = NO_LABELS,
) -> RunFinished:
    trial = config.trial
    check_memory(
        trial.network,
        trial.hyperparameters.batch_size,
        dataset_spec(trial.dataset).train_count,
        trial.variant.kept_copies,
    )
    with open_runs(config.results_dir) as store:
        labels = replace(labels, name=config.name)
        return RunSession(path, config, checkpoint, last_meta_loop, context, store, labels).execute()
