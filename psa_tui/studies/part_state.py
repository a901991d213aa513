"""The state of a part under way, as bytes: one safetensors file with the LKG weights of all its members.

The header holds what the state belongs to and the members' counters; two digests tell an altered file. Hyperparameters
and counters that a state of an earlier version lacks take their defaults.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from psa_tui.errors import CheckpointError
from psa_tui.formatting import printable
from psa_tui.method.hyperparameters import Hyperparameters
from psa_tui.method.progress import Progress, check_progress, decode_progress
from psa_tui.outside import decode_json
from psa_tui.studies.parts import Part
from psa_tui.studies.spec import StudySpec

_FORMAT = "psa-tui part "
_FORMAT_VERSION = 5
"""Version 1 had no counters of the best candidate, 2 no kept optimisers and no held candidates, 3 no counts of dead
units, 4 no promoting half."""
_WEIGHTS = "lkg"
_MOMENTS, _HELD = "moments", "held"


@dataclass(frozen=True, slots=True)
class PartState:
    """Where a part stands after a meta-loop."""

    progress: tuple[Progress, ...]
    """One entry a member."""
    lkg: np.ndarray
    """The Last Known Good weights: float32 [members, parameters]."""
    seconds: float
    """Time spent on the part so far."""
    moments: np.ndarray | None = None
    """AdamW's moments of the members whose optimiser is kept: float32 [members, 2, parameters]."""
    held: np.ndarray | None = None
    """Candidates that promotion rules hold, and their moments: float32 [members, 3, parameters]."""

    @property
    def tensors(self) -> dict[str, np.ndarray]:
        """What the file holds, by name."""
        found = {_WEIGHTS: self.lkg, _MOMENTS: self.moments, _HELD: self.held}
        return {name: np.ascontiguousarray(array) for name, array in found.items() if array is not None}


def encode_state(spec: StudySpec, part: Part, state: PartState) -> bytes:
    """Return the bytes of the file."""
    header = {
        "format": f"{_FORMAT}{_FORMAT_VERSION}",
        "study": json.dumps(_identity(spec, part), sort_keys=True),
        "progress": json.dumps([asdict(progress) for progress in state.progress]),
        "seconds": repr(state.seconds),
        "weights_sha256": _digest(state.tensors),
    }
    header["header_sha256"] = _header_digest(header)
    return safetensors.numpy.save(state.tensors, header)


def decode_state(spec: StudySpec, part: Part, content: bytes, where: str) -> PartState:
    """Return the state of ``encode_state``; ``where`` names the file in a complaint.

    Raises:
        CheckpointError: ``content`` is damaged, of a newer version, or the state of another part or study.
    """
    try:
        header = _header(content)
        _check_version(header.get("format", ""), where)
        if header.pop("header_sha256", None) != _header_digest(header):
            raise ValueError("its header does not match its digest")
        if Hyperparameters().as_json() | decode_json(header["study"]) != _identity(spec, part):
            raise ValueError("it belongs to another study")
        tensors = safetensors.numpy.load(content)
        if header["weights_sha256"] != _digest(tensors):
            raise ValueError("its weights do not match their digest")
        progress = tuple(decode_progress(values) for values in decode_json(header["progress"]))
        for one in progress:
            check_progress(one)
        if not 0 <= (seconds := float(header["seconds"])) < math.inf:
            raise ValueError("its time is none")
        members, parameters = len(progress), part.network.parameters
        shapes = {_WEIGHTS: (members, parameters), _MOMENTS: (members, 2, parameters), _HELD: (members, 3, parameters)}
        for name, array in tensors.items():
            if array.shape != shapes.get(name) or array.dtype != np.float32:
                raise ValueError("its weights have another shape")
        return PartState(progress, tensors[_WEIGHTS], seconds, tensors.get(_MOMENTS), tensors.get(_HELD))
    except CheckpointError:
        raise
    except Exception as error:
        # Whatever its bytes do to a library, it is a file that is damaged.
        reason = printable(" ".join(str(error).split()))[:100]
        raise CheckpointError(
            f"{where}: damaged ({reason}); move it away to train {part} anew, then psa study run {spec.name}"
        ) from None


def _check_version(found: str, where: str) -> None:
    version = re.fullmatch(rf"{_FORMAT}([0-9]{{1,6}})", found, re.ASCII)
    if version is None:
        raise ValueError("not the state of a part")
    if int(version[1]) > _FORMAT_VERSION:
        raise CheckpointError(
            f"{where}: written by a newer psa-tui (part format {version[1]}, this version reads {_FORMAT_VERSION}); "
            "update psa-tui, or move the file away to train its trials anew"
        )


def _identity(spec: StudySpec, part: Part) -> dict[str, Any]:
    """Return what must agree for a state to be gone on with; a study may gain shapes and trials."""
    settings = spec.as_settings()
    for name in ("name", "shapes", "trials", "earlier", "quick"):
        settings.pop(name, None)
    return settings | {"shape": part.network.short_name, "trials": list(part.trials)}


def _header(content: bytes) -> dict[str, str]:
    """Return the metadata of a safetensors file in memory: eight bytes of length, then JSON."""
    length = int.from_bytes(content[:8], "little")
    found = decode_json(content[8 : 8 + length])["__metadata__"]
    return {str(name): str(value) for name, value in found.items()}


def _digest(tensors: Mapping[str, np.ndarray]) -> str:
    """Return the digest of all numbers, the LKG's first; of a file of an earlier version there are no others."""
    digest = hashlib.sha256()
    for name in (_WEIGHTS, _MOMENTS, _HELD):
        if name in tensors:
            digest.update(np.ascontiguousarray(tensors[name]).data)
    return digest.hexdigest()


def _header_digest(header: dict[str, str]) -> str:
    return hashlib.sha256(json.dumps(header, sort_keys=True).encode()).hexdigest()
