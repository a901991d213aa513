"""Going on from a checkpoint: what it says in place of the defaults, what it forbids, what has changed since."""

from __future__ import annotations

import os
import shlex
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from psa_tui.data import is_own, is_substitute
from psa_tui.errors import CheckpointError, ConfigError, DataError
from psa_tui.method.hyperparameters import HYPERPARAMETERS
from psa_tui.method.variants import Variant, describe_variant
from psa_tui.settings import MOST_THREADS, Settings
from psa_tui.storage.checkpoint import network_of, previous_path, read_checkpoint
from psa_tui.storage.header import Record

if TYPE_CHECKING:
    from psa_tui.data import Dataset

PINNED = ("network", "arch", "mode", "seed", "init_seed", "dataset", *(one.option for one in HYPERPARAMETERS))
"""The settings that a resume takes from the checkpoint whatever else says."""


def checkpoint_settings(record: Record) -> dict[str, str]:
    """Return what a checkpoint says in place of the defaults, as raw text by setting."""
    values = record.hyperparameters.as_json()
    return {
        "network": record.network,
        "arch": record.architecture,
        "mode": record.mode,
        **{one.option: one.format(values[one.name]) for one in HYPERPARAMETERS},
        "seed": str(record.seed),
        **({} if record.initialisation_seed is None else {"init_seed": str(record.initialisation_seed)}),
        "dataset": record.data_source,
        "device": record.device.partition(":")[0],
        # Those of a larger machine do not fit here; that it goes on with fewer is said, and --threads says how many.
        "threads": str(record.threads if record.threads <= MOST_THREADS else os.cpu_count() or 1),
    }


def check_same_run(settings: Settings, path: Path, record: Record) -> None:
    """Make sure that the settings do not ask for another run than the one at ``path``.

    Raises:
        ConfigError: another network, data set or seed is asked for; the message names both.
    """
    wanted: list[tuple[str, object, object]] = []
    if settings.is_explicit("network"):
        wanted.append(("network", settings.get("network"), record.network))
    if settings.is_explicit("dataset") and settings.get("dataset") != "auto":
        wanted.append(("data set", settings.dataset_spec().name, record.dataset))
    network = settings.with_checkpoint({"network": record.network, "dataset": record.data_source}).network()
    if network.origin != "default":
        wanted.append(("architecture", network.value, network_of(record)))
    if settings.is_explicit("seed"):
        wanted.append(("seed", settings.get("seed"), record.seed))
    if settings.is_explicit("init_seed"):
        first = record.seed if record.initialisation_seed is None else record.initialisation_seed
        wanted.append(("first weights of seed", settings.get("init_seed"), first))
    for what, asked, found in wanted:
        if asked != found:
            raise ConfigError(
                f"{path} was trained with {what} {found}, and {asked} was asked for; {_ways_out(settings.get('name'))}"
            )


def pinned_settings(settings: Settings, record: Record) -> tuple[str, ...]:
    """Return the settings that a resume takes from the checkpoint whatever else says.

    Where data of one's own has moved, ``--dataset`` names its new place.

    Raises:
        ConfigError: it names another data set.
    """
    # What else says it, is not looked at.
    said = settings.find("dataset") if "dataset" in settings.layers[0].values else None
    if said is None:
        return PINNED
    if is_own(said.value) and is_own(record.data_source):
        return tuple(name for name in PINNED if name != "dataset")
    if said.value != record.dataset:
        raise ConfigError(
            f"{said.origin} {said.value}: the run was trained on {record.dataset}; leave that out to go on with it"
        )
    return PINNED


def _ways_out(name: str | None) -> str:
    return f"--name NAME trains another run beside it, or {clean_command(name)} takes it away"


def clean_command(name: str | None) -> str:
    """Return the command that takes away the checkpoint of the run of that name."""
    return "psa clean" if name is None else f"psa clean --name {name}"


def check_same_images(variant: Variant, path: Path, record: Record, name: str | None) -> None:
    """Make sure that what the run at ``path`` reports is of the same validation images under another ``variant``.

    Raises:
        ConfigError: one of the two modes promotes on half of them, and the other does not.
    """
    if variant.splits_validation != describe_variant(record.mode).splits_validation:
        raise ConfigError(
            f"{path} was trained in mode {record.mode}, and mode {variant.name} reports other validation images; "
            f"{_ways_out(name)}"
        )


def check_no_orphan(path: Path, name: str | None) -> None:
    """Make sure that no previous generation is left whose successor was removed by hand: a new run would overwrite it.

    Raises:
        CheckpointError: there is one.
    """
    previous = previous_path(path)
    if previous.exists():
        raise CheckpointError(
            f"{path} is missing, but its previous generation {previous} is there: to go on from it, "
            f"{shlex.join(['mv', str(previous), str(path)])}; to start anew, {clean_command(name)}"
        )


def check_edition(path: Path, record: Record, data: Dataset, dataset_dir: Path) -> None:
    """Make sure that ``data``, loaded from ``dataset_dir``, is what the checkpoint at ``path`` was trained on.

    Raises:
        DataError: it is another edition.
    """
    if record.dataset_fingerprint == data.fingerprint:
        return
    if data.spec.path is not None:
        raise DataError(
            f"{data.spec.path}: is not the {record.dataset} that {path} was trained on (fingerprint "
            f"{data.fingerprint[:12]}, expected {record.dataset_fingerprint[:12]}); --dataset says where that is, and "
            "with --name NAME another run trains on this one"
        )
    raise DataError(
        f"{path} was trained on another edition of {data.name} than the one in {dataset_dir}; "
        "point --dataset-dir at the original files"
    )


def extended_history(
    history: tuple[tuple[int, str], ...], variant: Variant, meta_loop: int
) -> tuple[tuple[int, str], ...]:
    """Return the mode history when ``variant`` is in force from ``meta_loop`` on."""
    before = tuple(entry for entry in history if entry[0] < meta_loop)
    if before and before[-1][1] == variant.name:
        return before
    return (*before, (meta_loop, variant.name))


def resume_command(model_dir: Path, results_dir: Path, name: str | None, code: str | None = None) -> str:
    """Return the command that goes on with the run of that name whose checkpoint and history are in these folders.

    Args:
        code: what ``--network`` has to say again, because no checkpoint makes this program run it.
    """
    words = ["psa", "resume", *(() if code is None else ("--network", code))]
    if name is not None and model_dir.name == name:
        words += ["--name", name]
        model_dir = model_dir.parent
    for option, folder, default in (
        ("--model-dir", model_dir, "models"),
        ("--results-dir", results_dir, "results"),
    ):
        if folder.absolute() != Path(default).absolute():
            words += [option, str(folder)]
    return shlex.join(words)


def holds_run(path: Path, run: str) -> bool:
    """Return whether there is a good checkpoint of ``run`` at ``path``."""
    try:
        return read_checkpoint(path).record.run == run
    except CheckpointError:
        return False


def is_same_place(one: Path, other: Path) -> bool:
    """Return whether two paths name the same file of the same folder, by whatever links they lead there."""
    try:
        return one.name == other.name and os.path.samefile(one.parent, other.parent)
    except OSError:
        return False


def changes(old: Record, new: Record) -> list[str]:
    """Return what a user must know when the run of ``old`` goes on as ``new``, one sentence each."""
    found = []
    if is_substitute(old.dataset, old.dataset_requested):
        found.append(
            f"this run trains on {old.dataset}, because full MNIST was not to be had when it began; for the full set: "
            "psa train --name NAME --dataset mnist"
        )
    for what in ("device", "threads", "backend", "machine", "versions"):
        before, now = (_in_words(getattr(record, what), old.versions.keys() & new.versions) for record in (old, new))
        if before != now:
            found.append(
                f"{what}: {before} before, {now} now; the run may not be bit-identical to an uninterrupted one"
            )
    return found


def _in_words(value: object, packages: Collection[str]) -> str:
    """Return a value of a record as text, versions of ``packages`` only: the others are of another backend."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {version}" for name, version in sorted(value.items()) if name in packages)
    return str(value)
