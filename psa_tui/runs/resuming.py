"""Going on from a checkpoint: what it says in place of the defaults, what it forbids, what has changed since."""

from __future__ import annotations

import shlex
from pathlib import Path

from psa_tui.errors import CheckpointError, ConfigError
from psa_tui.method.variants import AblationMode
from psa_tui.networks.mlp import parse_architecture
from psa_tui.settings import Settings
from psa_tui.storage.checkpoint import Record, previous_path, read_checkpoint


def said_by(record: Record) -> dict[str, str]:
    """What a checkpoint says in place of the defaults, as raw text by setting."""
    return {
        "arch": record.architecture,
        "mode": str(record.mode),
        "lr": repr(record.learning_rate),
        "batch_size": str(record.batch_size),
        "weight_decay": repr(record.weight_decay),
        "dropout": repr(record.dropout),
        "seed": str(record.seed),
        "dataset": record.dataset,
        "device": record.device.partition(":")[0],
        "threads": str(record.threads),
    }


def refuse_another_run(settings: Settings, path: Path, record: Record) -> None:
    """Make sure that the settings do not ask for another run than the one at ``path``.

    Raises:
        ConfigError: another architecture, data set or seed is asked for; the message names both.
    """
    wanted: list[tuple[str, object, object]] = []
    architecture = settings.architecture()
    if architecture.origin != "default":
        wanted.append(("architecture", architecture.value, parse_architecture(record.architecture)))
    if settings.is_explicit("dataset") and settings.get("dataset") != "auto":
        wanted.append(("data set", settings.get("dataset"), record.dataset))
    if settings.is_explicit("seed"):
        wanted.append(("seed", settings.get("seed"), record.seed))
    for what, asked, found in wanted:
        if asked != found:
            raise ConfigError(
                f"{path} was trained with {what} {found}, and {asked} was asked for; "
                "psa clean removes the old checkpoint, or --model-dir DIR keeps both"
            )


def refuse_to_bury(path: Path) -> None:
    """Make sure that no previous generation is left whose successor was removed by hand: a new run would overwrite it.

    Raises:
        CheckpointError: there is one.
    """
    previous = previous_path(path)
    if previous.exists():
        raise CheckpointError(
            f"{path} is missing, but its previous generation {previous} is there: to go on from it, "
            f"{shlex.join(['mv', str(previous), str(path)])}; to start anew, psa clean"
        )


def mode_history(
    history: tuple[tuple[int, str], ...], mode: AblationMode, meta_loop: int
) -> tuple[tuple[int, str], ...]:
    """``history`` when ``mode`` is in force from ``meta_loop`` on."""
    before = tuple(entry for entry in history if entry[0] < meta_loop)
    if before and before[-1][1] == mode:
        return before
    return (*before, (meta_loop, str(mode)))


def resume_command(model_dir: Path, results_dir: Path) -> str:
    """The command that goes on with the run whose checkpoint and history are in these folders."""
    words = ["psa", "resume"]
    for option, folder, default in (
        ("--model-dir", model_dir, "models"),
        ("--results-dir", results_dir, "results"),
    ):
        if folder.absolute() != Path(default).absolute():
            words += [option, str(folder)]
    return shlex.join(words)


def holds_run(path: Path, run: str) -> bool:
    """Whether there is a good checkpoint of ``run`` at ``path``."""
    try:
        return read_checkpoint(path).record.run == run
    except CheckpointError:
        return False


def changes(old: Record, new: Record) -> list[str]:
    """What a user must know when the run of ``old`` goes on as ``new``, one sentence each."""
    found = []
    if old.dataset == "mnist5k" and old.dataset_requested == "auto":
        found.append(
            "this run trains on mnist5k, because full MNIST was not to be had when it began; for the full set: "
            "psa clean, then psa train --dataset mnist"
        )
    for what in ("device", "threads", "machine", "versions"):
        before, now = (_in_words(getattr(record, what)) for record in (old, new))
        if before != now:
            found.append(
                f"{what}: {before} before, {now} now; the run may not be bit-identical to an uninterrupted one"
            )
    return found


def _in_words(value: object) -> str:
    return ", ".join(f"{k} {v}" for k, v in sorted(value.items())) if isinstance(value, dict) else str(value)
