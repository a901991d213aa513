"""The LKG file: one safetensors file holds a trial's weights and everything a resume needs. No torch.

The weights lie under the network's own names, for fully connected ones those of ``nn.Sequential(Linear, ReLU,
Dropout, ..., Linear)``. The header's metadata maps each field of ``Record`` to its JSON text (the hyperparameters'
fields beside the others), and ends in two SHA-256 digests, one of the weights and one of the other metadata, so that
no altered file is ever taken for a good one. A field that a file of an earlier format lacks takes its default.

Writing is atomic: a temporary file in the same folder, fsync, rename, fsync of the folder. The file that
is replaced stays beside it as the previous generation.
"""

from __future__ import annotations

import hashlib
import json
import shlex
import stat
import typing
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from psa_tui.errors import CheckpointError, ConfigError
from psa_tui.formatting import printable
from psa_tui.method.hyperparameters import Hyperparameters
from psa_tui.method.progress import Progress, decode_progress
from psa_tui.networks.base import NETWORKS, Network
from psa_tui.storage.atomic_write import UnsyncedError, atomic_write

FORMAT = "psa-tui checkpoint"
FORMAT_VERSION = 2
_WEIGHTS_DIGEST = "weights_sha256"
_RECORD_DIGEST = "record_sha256"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What the header says of a trial: its identity, its settings, its counters, and what it ran on."""

    run: str
    parent: str | None = None
    """The run this one branched off, when the file of that one was copied."""
    network: str
    """The network's family."""
    input_shape: tuple[int, ...]
    classes: int
    architecture: str
    parameters: int
    mode_history: tuple[tuple[int, str], ...]
    """(first meta-loop, mode), oldest first; the last entry is the mode in force."""
    seed: int
    dataset: str
    dataset_requested: str
    """What the user asked for; "auto" with ``dataset`` "mnist5k" means that full MNIST was not to be had."""
    dataset_fingerprint: str
    hyperparameters: Hyperparameters
    last_meta_loop: int
    """The meta-loop at which the run is complete."""
    progress: Progress
    test_correct: int | None
    test_count: int
    """``test_correct`` is the LKG's count on the test images; None until it was measured at a run's end."""
    device: str
    threads: int
    backend: str
    machine: str
    versions: dict[str, str]

    @property
    def mode(self) -> str:
        """The name of the variant in force."""
        return self.mode_history[-1][1]

    @property
    def finished(self) -> bool:
        """Whether every meta-loop of the run is done."""
        return self.progress.meta_loop >= self.last_meta_loop

    @property
    def complete(self) -> bool:
        """Whether nothing is left to do: finished, and the test images were read if there is an LKG."""
        return self.finished and (self.test_correct is not None or self.progress.lkg_correct is None)

    @property
    def test_accuracy(self) -> float | None:
        """The LKG's accuracy on the test images, a fraction, where it was measured."""
        return None if self.test_correct is None else self.test_correct / self.test_count


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A record and the weights that belong to it."""

    record: Record
    weights: dict[str, np.ndarray]


def previous_path(path: Path) -> Path:
    """Where the generation before ``path`` is kept."""
    return path.with_name(f"{path.stem}.previous{path.suffix}")


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Make ``checkpoint`` the content of ``path``, durably; the caller holds the lock.

    Raises:
        CheckpointError: it cannot be written, and ``path`` is as it was; or it is, but not yet durably. The message
            says which.
    """
    try:
        atomic_write(path, encode(checkpoint), keep=previous_path(path))
    except UnsyncedError as error:
        raise CheckpointError(
            f"{path}: written, but its folder cannot be flushed to the disk ({error.strerror}), so a loss of power may "
            "undo it; see to the disk, then psa resume"
        ) from None
    except OSError as error:
        before = "the file of the loop before is intact; " if path.exists() else ""
        raise CheckpointError(
            f"{path}: cannot be written ({error.strerror}); {before}see to space and permissions, then psa resume"
        ) from None


def encode(checkpoint: Checkpoint) -> bytes:
    """The bytes of the safetensors file."""
    metadata = {"format": FORMAT, "format_version": str(FORMAT_VERSION)}
    values = asdict(checkpoint.record)
    values |= values.pop("hyperparameters")
    metadata |= {name: json.dumps(value) for name, value in values.items()}
    metadata[_WEIGHTS_DIGEST] = _weights_digest(checkpoint.weights)
    metadata[_RECORD_DIGEST] = _record_digest(metadata)
    return safetensors.numpy.save(checkpoint.weights, metadata)


def read_checkpoint(path: Path) -> Checkpoint:
    """Read and verify ``path``, and change nothing.

    Raises:
        CheckpointError: the file is missing, unreadable, damaged, foreign or from a newer version. If the
            previous generation is good, the message says how to go back to it.
    """
    try:
        return _read(path)
    except CheckpointError as error:
        previous = previous_path(path)
        try:
            kept = _read(previous)
        except CheckpointError:
            raise error from None
        command = shlex.join(["mv", str(previous), str(path)])
        raise CheckpointError(
            f"{error}; the previous generation {previous} is intact (meta-loop {kept.record.progress.meta_loop}): "
            f"to go on from it, {command}"
        ) from None


def _read(path: Path) -> Checkpoint:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise CheckpointError(f"{path}: not a file; move it away, or use another --model-dir")
        with safetensors.safe_open(path, framework="np") as file:
            metadata = dict(file.metadata() or {})
            if metadata.get("format") != FORMAT:
                raise CheckpointError(f"{path}: not a psa-tui checkpoint; move it away, or use another --model-dir")
            if (version := metadata.get("format_version")) not in _READABLE:
                raise CheckpointError(
                    f"{path}: checkpoint format {printable(version)}, this version reads up to {FORMAT_VERSION}; "
                    "update psa-tui"
                )
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (safe_open is no mapping)
        if metadata.pop(_RECORD_DIGEST, None) != _record_digest(metadata):
            raise ValueError("its header does not match its digest")
        if metadata[_WEIGHTS_DIGEST] != _weights_digest(weights):
            raise ValueError("its weights do not match their digest")
        record = _decode(metadata)
        _check_shapes(record, weights)
    except FileNotFoundError:
        raise CheckpointError(f"{path}: there is no such checkpoint; psa train makes one") from None
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror or error})") from None
    except CheckpointError:
        raise
    except Exception as error:
        # Whatever its bytes do to a library, the other files are still to be read.
        raise CheckpointError(f"{path}: damaged or not a checkpoint ({_brief(error)})") from None
    return Checkpoint(record, weights)


def _decode(metadata: dict[str, str]) -> Record:
    found = {name: json.loads(text, parse_constant=_refuse) for name, text in metadata.items() if name in _STORED}
    values = {**_EARLIER_DEFAULTS, **found}
    own = {field.name: values[field.name] for field in fields(Record) if field.name != "hyperparameters"}
    own["hyperparameters"] = Hyperparameters.from_json(values)
    own["progress"] = decode_progress(values["progress"])
    own["mode_history"] = tuple((int(loop), str(mode)) for loop, mode in values["mode_history"])
    own["input_shape"] = tuple(int(size) for size in values["input_shape"])
    for owner, given in ((Record, own), (Progress, asdict(own["progress"]))):
        for name, kind in typing.get_type_hints(owner).items():
            if kind in _SCALARS and not isinstance(given[name], kind):
                raise TypeError(f"{name} is {given[name]!r}")
    record = Record(**own)
    counts = (record.progress.validation_count, record.test_count, record.threads, record.classes, *record.input_shape)
    if not record.mode_history or min(counts) < 1 or not isinstance(record.versions, dict):
        raise ValueError("its header makes no sense")
    texts = [value for value in asdict(record).values() if isinstance(value, str)]
    texts += [mode for _, mode in record.mode_history]
    texts += [text for pair in record.versions.items() for text in pair]
    # From here on the texts go to screens, files and databases.
    if not all(isinstance(text, str) and text.isprintable() for text in texts):
        raise ValueError("a text in its header has characters that cannot be printed")
    return record


def _refuse(constant: str) -> None:
    raise ValueError(f"its header has the number {constant}")


_SCALARS: tuple[Any, ...] = (int, float, str, int | None, str | None)
_READABLE = tuple(str(version) for version in range(1, FORMAT_VERSION + 1))
_EARLIER_DEFAULTS: Mapping[str, Any] = {
    "parent": None,
    "network": "mlp",
    "input_shape": [1, 28, 28],
    "classes": 10,
    "backend": "torch",
}
"""What earlier files do not say, because there was nothing else then."""
_STORED = {field.name for field in fields(Record)} | {field.name for field in fields(Hyperparameters)}


def network_of(record: Record) -> Network | None:
    """Return the network that a record describes; None where its family is not installed.

    Raises:
        ConfigError: its architecture is none of the family.
    """
    family = NETWORKS.get(record.network)
    return None if family is None else family.parse(record.architecture, record.input_shape, record.classes)


def _check_shapes(record: Record, weights: dict[str, np.ndarray]) -> None:
    """Compare the tensors with the architecture; sizes first, so that a text asks for no more than the file has."""
    network = network_of(record)
    if sum(array.size for array in weights.values()) != record.parameters:
        raise ValueError(f"its tensors have not the {record.parameters} numbers it speaks of")
    if network is not None:
        if network.parameters != record.parameters:
            raise ValueError(f"its tensors are not those of {record.architecture}")
        if {name: array.shape for name, array in weights.items()} != {one.name: one.shape for one in network.tensors}:
            raise ValueError(f"its tensors are not those of {record.architecture}")
    if any(array.dtype != np.float32 for array in weights.values()):
        raise ValueError("its tensors are not float32")


def _weights_digest(weights: dict[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name, array in sorted(weights.items()):
        digest.update(f"{name} {array.dtype} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _record_digest(metadata: dict[str, str]) -> str:
    return hashlib.sha256(json.dumps(metadata, sort_keys=True).encode()).hexdigest()


_TELLING = (safetensors.SafetensorError, ConfigError, KeyError, TypeError, ValueError)


def _brief(error: Exception) -> str:
    text = " ".join(str(error).split()) if isinstance(error, _TELLING) else type(error).__name__
    return printable(text)[:160]
