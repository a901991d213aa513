"""A run's record, the counterpart of its checkpoint's header, and the events that open and close a session."""

from __future__ import annotations

import platform
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from psa_tui import __version__
from psa_tui.machine.devices import flush_denormals
from psa_tui.method.dead_units import DeadUnits
from psa_tui.method.events import Outcome, RunFinished, RunStarted, SettingChange
from psa_tui.method.progress import Progress
from psa_tui.method.variants import Variant
from psa_tui.runs.resuming import changes, extended_history, resume_command
from psa_tui.runs.setting_changes import change_notices
from psa_tui.settings import RunConfig
from psa_tui.storage.header import Record
from psa_tui.storage.run_store import SplitCounts

if TYPE_CHECKING:
    from psa_tui.data import Dataset


def new_record(
    config: RunConfig,
    old: Record | None,
    data: Dataset,
    last_meta_loop: int,
    device: str,
    threads: int,
    backend: str,
) -> Record:
    """Return the record a session starts from; ``old`` is the checkpoint's, and without one it has no name yet."""
    trial = config.trial
    reported = data.validation.labels[trial.variant.reported]
    progress = Progress(validation_count=len(reported)) if old is None else old.progress
    history = () if old is None else old.mode_history
    return Record(
        run="" if old is None else old.run,
        parent=None if old is None else old.parent,
        network=trial.network.family,
        input_shape=trial.network.input_shape,
        classes=trial.network.classes,
        architecture=str(trial.network),
        parameters=trial.network.parameters,
        mode_history=extended_history(history, trial.variant, progress.meta_loop + 1),
        seed=trial.seed,
        dataset=data.name,
        dataset_requested=trial.dataset if old is None else old.dataset_requested,
        dataset_fingerprint=data.fingerprint,
        hyperparameters=trial.hyperparameters,
        last_meta_loop=last_meta_loop,
        progress=progress,
        test_correct=None if old is None else old.test_correct,
        test_count=len(data.test.labels),
        device=device,
        threads=threads,
        backend=backend,
        machine=_machine(),
        versions=_versions(backend),
    )


def started_event(
    record: Record,
    old: Record | None,
    data: Dataset,
    config: RunConfig,
    path: Path,
    lacking: int,
    dead_units: DeadUnits,
    setting_changes: tuple[SettingChange, ...],
    more: Sequence[str] = (),
) -> RunStarted:
    """Return the event that opens the session; the history lacks ``lacking`` earlier loops, ``more`` is noticed too."""
    notices = [*data.notices, *more]
    if lacking:
        notices.append(f"the history in {config.results_dir} lacks {lacking} earlier meta-loops of this run")
    if old is not None:
        notices += changes(old, record)
    variant = config.trial.variant
    if (batch := record.hyperparameters.batch_size) > len(data.train.labels):
        notices.append(f"a batch of {batch:,} is more than the {len(data.train.labels):,} images: an epoch is one step")
    notices += [*change_notices(setting_changes, record.progress.meta_loop + 1), *half_notices(variant)]
    network, splits = config.trial.network, split_counts(data, variant)
    return RunStarted(
        run=record.run,
        name=config.name,
        resumed=old is not None,
        network=record.network,
        architecture=record.architecture,
        parameters=record.parameters,
        unit_counts=tuple(network.unit_counts),
        layer_names=tuple(network.layer_names),
        unit_kinds=tuple(network.unit_kinds),
        blocks=tuple(network.blocks()),
        mode=record.mode,
        hyperparameters=record.hyperparameters,
        seed=record.seed,
        dataset=record.dataset,
        dataset_fingerprint=record.dataset_fingerprint,
        train_count=splits.train,
        validation_count=splits.validation,
        test_count=splits.test,
        majority_class_accuracy=splits.majority_class_accuracy,
        device=record.device,
        threads=record.threads,
        backend=record.backend,
        checkpoint=str(path),
        last_meta_loop=record.last_meta_loop,
        progress=record.progress,
        dead_units=None if record.progress.lkg_correct is None else dead_units,
        notices=tuple(notices),
        setting_changes=setting_changes,
    )


def finished_event(
    record: Record,
    outcome: Outcome,
    reason: str,
    config: RunConfig,
    seconds: float,
    setting_changes: tuple[SettingChange, ...] = (),
) -> RunFinished:
    """Return the event that closes the session after ``seconds``."""
    return RunFinished(
        run=record.run,
        outcome=outcome,
        reason=reason,
        last_meta_loop=record.last_meta_loop,
        progress=record.progress,
        test_accuracy=record.test_accuracy,
        seconds=seconds,
        resume_command=resume_command(config.model_dir, config.results_dir, config.name),
        setting_changes=setting_changes,
    )


def half_notices(variant: Variant) -> list[str]:
    """Return what a user must know of a variant that promotes on one half of the validation images."""
    if not variant.splits_validation:
        return []
    return [
        f"mode {variant.name} promotes on half of the validation images; validation accuracies are of the other half"
    ]


def split_counts(data: Dataset, variant: Variant) -> SplitCounts:
    """Return how many images the splits have; of the validation images, those that are reported of a ``variant``."""
    from psa_tui.data import Split, majority_class_accuracy

    validation = Split(data.validation.pixels[variant.reported], data.validation.labels[variant.reported])
    return SplitCounts(
        train=len(data.train.labels),
        validation=len(validation.labels),
        test=len(data.test.labels),
        majority_class_accuracy=majority_class_accuracy(validation),
    )


def new_run_name() -> str:
    """Return a name for a run: the time, and 32 random bits."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"


def _versions(backend: str) -> dict[str, str]:
    import numpy
    import torch

    compiler = {"numba": version("numba")} if backend == "numba" else {}
    return compiler | {
        "psa-tui": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": numpy.__version__,
    }


def _machine() -> str:
    import torch

    denormals = ", denormals flushed" if flush_denormals() else ""
    return f"{platform.platform()}, {torch.backends.cpu.get_cpu_capability()}{denormals}"
