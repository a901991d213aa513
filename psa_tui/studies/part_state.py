"""The state of a part under way, as bytes: one safetensors file with the LKG weights of all its members.

The header holds what the state belongs to and the members' counters; two digests tell an altered file.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

import numpy as np
import safetensors
import safetensors.numpy

from psa_tui.errors import CheckpointError
from psa_tui.method.events import Progress
from psa_tui.studies.parts import Part
from psa_tui.studies.spec import StudySpec

_FORMAT = "psa-tui part 1"
_WEIGHTS = "lkg"


@dataclass(frozen=True, slots=True)
class PartState:
    """Where a part stands after a meta-loop."""

    progress: tuple[Progress, ...]
    """One entry a member."""
    lkg: np.ndarray
    """The Last Known Good weights: float32 [members, parameters]."""
    seconds: float
    """Time spent on the part so far."""


def encode_state(spec: StudySpec, part: Part, state: PartState) -> bytes:
    """The bytes of the file."""
    header = {
        "format": _FORMAT,
        "study": _identity(spec, part),
        "progress": json.dumps([asdict(progress) for progress in state.progress]),
        "seconds": repr(state.seconds),
        "weights_sha256": hashlib.sha256(np.ascontiguousarray(state.lkg).data).hexdigest(),
    }
    header["header_sha256"] = _header_digest(header)
    return safetensors.numpy.save({_WEIGHTS: state.lkg}, header)


def decode_state(spec: StudySpec, part: Part, content: bytes, where: str) -> PartState:
    """The inverse of ``encode_state``; ``where`` names the file in a complaint.

    Raises:
        CheckpointError: ``content`` is damaged, or the state of another part or study.
    """
    try:
        header = _header(content)
        if header.get("format") != _FORMAT:
            raise ValueError("not the state of a part")
        if header.pop("header_sha256", None) != _header_digest(header):
            raise ValueError("its header does not match its digest")
        if header["study"] != _identity(spec, part):
            raise ValueError("it belongs to another study")
        lkg = safetensors.numpy.load(content)[_WEIGHTS]
        if header["weights_sha256"] != hashlib.sha256(lkg.data).hexdigest():
            raise ValueError("its weights do not match their digest")
        progress = tuple(Progress(**values) for values in json.loads(header["progress"]))
        if lkg.shape != (len(progress), part.shape.parameters) or lkg.dtype != np.float32:
            raise ValueError("its weights have another shape")
        return PartState(progress, lkg, float(header["seconds"]))
    except (safetensors.SafetensorError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{where}: damaged ({str(error)[:100]}); move it away to train {part} anew, then psa reproduce run"
        ) from None


def _identity(spec: StudySpec, part: Part) -> str:
    """What must agree for a state to be gone on with; a study may gain shapes and trials."""
    settings = spec.as_settings()
    for name in ("name", "shapes", "trials", "quick"):
        del settings[name]
    return json.dumps(settings | {"shape": str(part.shape), "trials": list(part.trials)}, sort_keys=True)


def _header(content: bytes) -> dict[str, str]:
    """The metadata of a safetensors file in memory: eight bytes of length, then JSON."""
    length = int.from_bytes(content[:8], "little")
    found = json.loads(content[8 : 8 + length])["__metadata__"]
    return {str(name): str(value) for name, value in found.items()}


def _header_digest(header: dict[str, str]) -> str:
    return hashlib.sha256(json.dumps(header, sort_keys=True).encode()).hexdigest()
