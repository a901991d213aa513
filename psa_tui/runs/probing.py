"""Probing checkpoints: which can be measured and with what, and what is found of each. Nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from psa_tui.data import dataset_spec, load_dataset, majority_class_accuracy
from psa_tui.errors import CheckpointError, ConfigError, NoCheckpointError, PsaError
from psa_tui.formatting import nearest
from psa_tui.method.probes import Probe, UnitKill, dead_mask
from psa_tui.networks.modules.names import UnnamedCodeError, names_code
from psa_tui.runs.checkpoint_files import checkpoint_paths, find_checkpoint
from psa_tui.runs.resuming import check_edition
from psa_tui.settings import Settings
from psa_tui.storage.checkpoint import network_of, read_checkpoint
from psa_tui.storage.header import Record

if TYPE_CHECKING:
    import numpy as np

    from psa_tui.engine.backend import Backend
    from psa_tui.engine.images import Images
    from psa_tui.networks import Network


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A checkpoint that can be measured, and what it is measured with."""

    label: str
    """What the user called it."""
    record: Record
    network: Network
    row: np.ndarray
    """Its LKG: float32 [parameters]."""
    dead: np.ndarray
    """``dead_mask`` of it."""
    backend: Backend
    images: Images
    """Those of the test split."""
    majority_class_accuracy: float
    """Of the test split, a fraction."""
    threads: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """What a probe found of a checkpoint."""

    subject: Subject
    untouched: int
    """Correct test images of the LKG as it is."""
    correct: tuple[np.ndarray, ...]
    """Correct test images of every draw, by level: int64 [draws]."""
    dead_hit: tuple[float, ...] | None
    """Of the units zeroed at each level, how many were dead before (the mean over draws); None without zeroed units."""


def load_subjects(
    paths: Sequence[Path], settings: Settings, say: Callable[[str], None]
) -> tuple[list[Subject], dict[str, PsaError]]:
    """Load checkpoints, each a file, a folder that has one or the name of a run, and what they are measured with.

    Each is measured with its own data set, on the device and with the backend that it was trained on where the settings
    do not say others and the device is there.

    Returns:
        Those that can be measured, and why the others cannot, by what the user called them.

    Raises:
        ConfigError: the settings name a backend that there is not, or a device that is not usable.
    """
    import torch

    from psa_tui.engine.backend import choose_backend
    from psa_tui.engine.images import load_images
    from psa_tui.engine.parallelism import threads_for
    from psa_tui.engine.population import flat_weights
    from psa_tui.machine.devices import choose, detect

    found = detect()
    # What the settings say wrongly is wrong for all.
    settings.get("backend")
    settings.named_network()
    if settings.is_explicit("device"):
        choose(settings.get("device"), found)
    folder: Path = settings.get("dataset_dir")
    load = cache(lambda name: load_dataset(name, folder, say))
    put = cache(lambda name, device: load_images(load(name).test, load(name).spec, torch.device(device)))
    known = {Path(one).name: Path(one) for one in checkpoint_paths(settings.get("model_dir"))}

    def subject(asked: Path) -> Subject:
        path = asked if asked.exists() else known.get(str(asked), asked)
        file = find_checkpoint(path) if path.is_dir() else path
        try:
            checkpoint = read_checkpoint(file)
        except NoCheckpointError as error:
            meant = "".join(f"; did you mean {known[name]}?" for name in nearest(path.name, known))
            raise NoCheckpointError(f"{error}{meant}") from None
        record = checkpoint.record
        network = network_of(record)
        if network is None:
            if names_code(record.network):
                raise ConfigError(f"{file}: {UnnamedCodeError(record.network)}")
            raise ConfigError(f"{file}: networks of family {record.network} are not installed; install their plug-in")
        trained_on = record.device.partition(":")[0]
        own = settings.with_checkpoint(
            {"backend": record.backend, **({"device": trained_on} if trained_on in found.usable else {})}
        )
        device = choose(own.get("device"), found).device
        floats = dataset_spec(record.data_source).floats
        backend = choose_backend(own.get("backend"), network, device, floats=floats)
        data = load(record.data_source)
        check_edition(file, record, data, folder)
        row = flat_weights(network, checkpoint.weights)
        return Subject(
            label=str(asked),
            record=record,
            network=network,
            row=row,
            dead=dead_mask(row, network),
            backend=backend,
            images=put(record.data_source, device),
            majority_class_accuracy=majority_class_accuracy(data.test),
            threads=threads_for(network, backend, record.hyperparameters.batch_size, device, settings.get("threads")),
        )

    subjects: list[Subject] = []
    problems: dict[str, PsaError] = {}
    for path in paths:
        try:
            subjects.append(subject(path))
        except PsaError as error:
            problems[str(path)] = error
        except OSError as error:
            problems[str(path)] = CheckpointError(f"{path}: cannot be read ({error.strerror or error})")
    return subjects, problems


def fitted(probe: Probe, subjects: Sequence[Subject], *, fit: bool) -> Probe:
    """Return the probe; where ``fit`` says so, without the levels that a network has too few hidden units for.

    Raises:
        ConfigError: a network has too few, and ``fit`` does not say so.
    """
    if not isinstance(probe, UnitKill) or not subjects or not probe.levels:
        return probe
    smallest = min(subjects, key=lambda subject: len(subject.dead))
    most = len(smallest.dead)
    if probe.levels[-1] > most and not fit:
        raise ConfigError(
            f"--kill: {smallest.label}, {smallest.record.architecture}, has {most} hidden units; "
            f"{probe.levels[-1]} cannot be zeroed: ask for at most {most}"
        )
    return replace(probe, levels=tuple(level for level in probe.levels if level <= most))


def measure(subject: Subject, probe: Probe, advance: Callable[[int], None]) -> Probed:
    """Measure a checkpoint untouched, then at every level; ``advance`` is told how many draws were measured."""
    from psa_tui.engine.probing import count_damaged, count_untouched
    from psa_tui.machine.devices import set_threads

    set_threads(subject.threads, subject.backend)
    with_what = (subject.row, subject.network, subject.images, subject.backend)
    untouched = count_untouched(*with_what)
    correct = tuple(count_damaged(probe, *with_what, level, advance) for level in probe.levels)
    dead_hit = None
    if isinstance(probe, UnitKill):
        dead_hit = tuple(probe.dead_among(subject.dead, subject.network, level) for level in probe.levels)
    return Probed(subject=subject, untouched=untouched, correct=correct, dead_hit=dead_hit)
