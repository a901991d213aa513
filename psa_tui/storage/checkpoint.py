"""The LKG file: one safetensors file holds a trial's weights and everything a resume needs. No torch.

The weights lie under the network's own names, for fully connected ones those of ``nn.Sequential(Linear, ReLU,
Dropout, ..., Linear)``; where a variant keeps its optimiser or holds candidates, those lie beside them under names that
begin as ``STATE`` says. The header's metadata maps each field of ``Record`` to its JSON text (the hyperparameters'
fields beside the others), and ends in two SHA-256 digests, one of the weights and one of the other metadata, so that
no altered file is ever taken for a good one. A field that a file of an earlier format lacks takes its default.

Writing is atomic: a temporary file in the same folder, fsync, rename, fsync of the folder. The file that
is replaced stays beside it as the previous generation.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import safetensors

from psa_tui.errors import CheckpointError
from psa_tui.formatting import printable
from psa_tui.networks.base import NETWORKS, Network
from psa_tui.storage.atomic_write import UnsyncedError, atomic_write
from psa_tui.storage.header import Record, decode_record
from psa_tui.storage.read_errors import read_errors

if TYPE_CHECKING:
    import numpy as np

FORMAT = "psa-tui checkpoint"
FORMAT_VERSION = 5
"""Version 2 knew no kept optimisers and no held candidates, 3 no counts of dead units, 4 no promoting half."""
STATE = (
    "optimizer.exp_avg.",
    "optimizer.exp_avg_sq.",
    "held.",
    "held.optimizer.exp_avg.",
    "held.optimizer.exp_avg_sq.",
)
"""Beginnings of the names of tensors that are not the LKG's: AdamW's moments, a held candidate, and its moments."""
_WEIGHTS_DIGEST = "weights_sha256"
_RECORD_DIGEST = "record_sha256"
_READABLE = tuple(str(version) for version in range(1, FORMAT_VERSION + 1))
_MOST_HEADER = 4_000_000
"""Characters of a header's metadata."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A record and the weights that belong to it."""

    record: Record
    weights: dict[str, np.ndarray]
    state: dict[str, np.ndarray] = field(default_factory=dict)
    """What else a resume needs, under names of ``STATE``: each with all the weights' names behind it."""


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
            "undo it; see to the disk"
        ) from None
    except OSError as error:
        # How to go on is said where the run ends, with the options that it needs.
        before = "the file of the loop before is intact; " if path.exists() else ""
        raise CheckpointError(
            f"{path}: cannot be written ({error.strerror}); {before}see to the folder, space and permissions"
        ) from None


def encode(checkpoint: Checkpoint) -> bytes:
    """The bytes of the safetensors file."""
    metadata = {"format": FORMAT, "format_version": str(FORMAT_VERSION)}
    values = asdict(checkpoint.record)
    values |= values.pop("hyperparameters")
    metadata |= {name: json.dumps(value) for name, value in values.items()}
    tensors = checkpoint.weights | checkpoint.state
    metadata[_WEIGHTS_DIGEST] = _weights_digest(tensors)
    metadata[_RECORD_DIGEST] = _record_digest(metadata)
    # It loads NumPy, which the first frame of a run does not wait for.
    import safetensors.numpy

    return safetensors.numpy.save(tensors, metadata)


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
        raise type(error)(
            f"{error}; the previous generation {previous} is intact (meta-loop {kept.record.progress.meta_loop}): "
            f"to go on from it, {command}"
        ) from None


def read_record(path: Path) -> Record:
    """Read and verify the header of ``path`` alone, however large its tensors are.

    Raises:
        CheckpointError: as ``read_checkpoint``, which finds more.
    """
    with _errors(path), safetensors.safe_open(path, framework="np") as file:
        return decode_record(_metadata(path, file.metadata()))


def _read(path: Path) -> Checkpoint:
    with _errors(path):
        with safetensors.safe_open(path, framework="np") as file:
            metadata = _metadata(path, file.metadata())
            names = file.keys()
            if any(file.get_slice(name).get_dtype() != "F32" for name in names):
                raise ValueError("its tensors are not float32")
            tensors = {name: file.get_tensor(name) for name in names}
        if metadata[_WEIGHTS_DIGEST] != _weights_digest(tensors):
            raise ValueError("its weights do not match their digest")
        record = decode_record(metadata)
        weights = {name: array for name, array in tensors.items() if not name.startswith(STATE)}
        state = {name: array for name, array in tensors.items() if name.startswith(STATE)}
        _check_shapes(record, weights)
        _check_state(weights, state)
    return Checkpoint(record, weights, state)


def _metadata(path: Path, found: dict[str, str] | None) -> dict[str, str]:
    """The metadata of the header of ``path``, when it is ours and unaltered, without their digest."""
    metadata = dict(found or {})
    if metadata.get("format") != FORMAT:
        raise CheckpointError(f"{path}: not a psa-tui checkpoint; move it away, or use another --model-dir")
    if (version := metadata.get("format_version")) not in _READABLE:
        raise CheckpointError(
            f"{path}: checkpoint format {printable(version)}, this version reads up to {FORMAT_VERSION}; update psa-tui"
        )
    if sum(map(len, metadata.values())) > _MOST_HEADER:
        raise ValueError(f"its header has more than {_MOST_HEADER:,} characters")
    if metadata.pop(_RECORD_DIGEST, None) != _record_digest(metadata):
        raise ValueError("its header does not match its digest")
    return metadata


def _errors(path: Path) -> AbstractContextManager[None]:
    return read_errors(
        path,
        "a checkpoint",
        if_missing="there is no such checkpoint; psa train makes one",
        remedy="; move it away, or use another --model-dir",
    )


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


def _check_state(weights: dict[str, np.ndarray], state: dict[str, np.ndarray]) -> None:
    """Make sure that each kind of state is complete, and has the shapes of the weights."""
    shapes = {name: array.shape for name, array in weights.items()}
    for beginning in {_beginning(name) for name in state}:
        found = {name: array.shape for name, array in state.items() if _beginning(name) == beginning}
        if found != {f"{beginning}{name}": shape for name, shape in shapes.items()}:
            raise ValueError(f"its tensors {beginning}* are not those of its weights")


def _beginning(name: str) -> str:
    return max((one for one in STATE if name.startswith(one)), key=len)


def _weights_digest(weights: dict[str, np.ndarray]) -> str:
    import numpy as np

    digest = hashlib.sha256()
    for name, array in sorted(weights.items()):
        digest.update(f"{name} {array.dtype} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _record_digest(metadata: dict[str, str]) -> str:
    return hashlib.sha256(json.dumps(metadata, sort_keys=True).encode()).hexdigest()
