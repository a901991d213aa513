"""A search as text and tensors, and their file: the LKG, a held candidate, and all that goes on needs. No pickle.

The LKG lies under the names of the model's ``state_dict``, tied ones under each of them; what else there is, under
names that begin with ``psa.``. The file is a safetensors one; its header's metadata has one entry, so that equal
searches are equal files: the version of the format, a SHA-256 digest of the rest and of the tensors, by which an
altered file is known, and the rest as JSON.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch

from psa_tui.errors import CheckpointError
from psa_tui.formatting import printable
from psa_tui.method.dead_units import dead_units
from psa_tui.method.event_codec import decode_event, encode_event
from psa_tui.method.events import EarlierLoops
from psa_tui.method.progress import Progress, check_progress, decode_progress
from psa_tui.method.variants import Variant
from psa_tui.networks.unit import Unit, UnitTable
from psa_tui.outside import outside_json
from psa_tui.search.model import RESERVED, Model, Tensors
from psa_tui.search.state import PastLoop, SearchState, as_event, from_event
from psa_tui.search.variants import decode_variant, encode_variant
from psa_tui.storage.atomic_write import UnsyncedError, atomic_write
from psa_tui.storage.read_errors import damage_errors, read_errors

FORMAT, FORMAT_VERSION = "psa-tui search", "1"
"""The name of the header's entry, and what it begins with."""
_HELD, _BESIDE = f"{RESERVED}held.", f"{RESERVED}beside."
_MOST_HEADER = 16_000_000
"""Characters of a header's metadata."""


@dataclass(frozen=True, slots=True)
class SavedSearch:
    """What a file holds, checked against itself; ``state_for`` checks it against a model."""

    variant: Variant
    seed: int
    progress: Progress
    past: tuple[PastLoop, ...]
    units: str
    """A digest of them, their number before it."""
    tensors: Tensors

    def state_for(self, source: object, model: Model, units: Sequence[Unit], table: UnitTable) -> SearchState:
        """Return where the search is, on the devices of ``model``.

        Raises:
            CheckpointError: it is the search of another model, or has other units.
        """
        now = model.tensors()
        groups: dict[str, Tensors] = {"": {}, _HELD: {}}
        for beginning in ("", _HELD) if self.progress.held_correct is not None else ("",):
            for name, tensor in now.items():
                found = self.tensors.get(f"{beginning}{name}", self.tensors.get(f"{beginning}{_BESIDE}{name}"))
                if found is not None:
                    groups[beginning][name] = found.to(tensor.device, copy=True)
            shapes = {name: (tuple(one.shape), one.dtype) for name, one in groups[beginning].items()}
            if shapes != model.shapes:
                raise CheckpointError(f"{source}: the search of another model: {model.difference(shapes)}")
        known = set(_stored_names(model).values())
        more = [name for name in self.tensors if name not in known and not name.startswith(_HELD)]
        if more:
            raise CheckpointError(f"{source}: the search of another model: it has {printable(more[0])!r} too")
        if self.units != units_digest(units):
            there = printable(self.units.partition(" ")[0])[:20]
            raise CheckpointError(
                f"{source}: a search of other units: {there} there, {len(units)} given, which differ in name, kind, "
                "layer, places or order"
            )
        for loop in self.past:
            if any(not _has_unit(table, one.layer, one.unit) for one in loop.units):
                raise CheckpointError(f"{source}: damaged or not a search (its history has units that it has not)")
        lkg = groups[""]
        has_dead = self.progress.lkg_correct is not None and bool(table.hidden_layers)
        dead = dead_units(model.row(lkg), table) if has_dead else ()
        return SearchState(self.progress, lkg, groups[_HELD] or None, dead, self.past)


def packed(model: Model, state: SearchState, kind: tuple[Variant, int], units: str) -> tuple[str, Tensors]:
    """Return a search as its entry in a header, and tensors; ``kind`` is variant and seed, ``units`` a digest."""
    stored: Tensors = {}
    for name, stored_name in _stored_names(model).items():
        own = model.aliases.get(name, name)
        stored[stored_name] = _plain(state.lkg[own], copy=own != name)
        if state.held is not None and own == name:
            stored[f"{_HELD}{name}"] = _plain(state.held[name])
    content = json.dumps(
        {
            "variant": encode_variant(kind[0]),
            "seed": kind[1],
            "progress": asdict(state.progress),
            "history": encode_event(as_event(state.past)),
            "units": units,
        }
    )
    return f"{FORMAT_VERSION} {_digest(content, stored)} {content}", stored


def write_search(path: Path, entry: str, tensors: Tensors) -> None:
    """Make what ``packed`` returned the content of ``path``, durably.

    Raises:
        CheckpointError: it cannot be written, and ``path`` is as it was; or it is, but not yet durably.
    """
    try:
        atomic_write(path, safetensors.torch.save(tensors, {FORMAT: entry}))
    except UnsyncedError as error:
        raise CheckpointError(
            f"{path}: written, but its folder cannot be flushed to the disk ({error.strerror}), so a loss of power may "
            "undo it"
        ) from None
    except OSError as error:
        before = "the file of before is intact; " if path.exists() else ""
        raise CheckpointError(
            f"{path}: cannot be written ({error.strerror}); {before}see to the folder, space and permissions"
        ) from None


def read_search(path: Path) -> SavedSearch:
    """Read and verify a search's file, and change nothing.

    Raises:
        CheckpointError: it is missing, damaged, foreign or from a newer version.
    """
    with read_errors(path, "a search", if_missing="there is no such file; search.save(path) makes one"):
        with safetensors.safe_open(path, framework="pt") as file:
            entry = (file.metadata() or {}).get(FORMAT)
            if entry is None:
                raise CheckpointError(f"{path}: not the file of a search")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return unpacked(path, entry, tensors)


def unpacked(source: object, entry: str, tensors: Tensors) -> SavedSearch:
    """Verify what ``packed`` returned, and return what it holds; ``source`` is where it came from, for errors.

    Raises:
        CheckpointError: it is damaged, or from a newer version.
    """
    with damage_errors(source, "a search"):
        version, _, rest = entry.partition(" ")
        if version != FORMAT_VERSION:
            raise CheckpointError(
                f"{source}: search format {printable(version[:20])}, this version reads {FORMAT_VERSION}; "
                "update psa-tui"
            )
        if len(rest) > _MOST_HEADER:
            raise ValueError(f"its header has more than {_MOST_HEADER:,} characters")
        digest, _, content = rest.partition(" ")
        if digest != _digest(content, tensors):
            raise ValueError("its content does not match its digest")
        return _decode(outside_json(content), tensors)


def _decode(values: dict[str, Any], tensors: Tensors) -> SavedSearch:
    progress = decode_progress(values["progress"])
    check_progress(progress)
    earlier = decode_event(values["history"])
    if not isinstance(earlier, EarlierLoops) or type(values["seed"]) is not int or values["seed"] < 0:
        raise ValueError("its header makes no sense")
    past = from_event(earlier)
    loops = [one.meta_loop for one in past]
    if loops != list(range(progress.meta_loop + 1 - len(loops), progress.meta_loop + 1)):
        raise ValueError("its history is not that of its counters")
    if not all(0 <= one.accuracy <= 1 for one in past):
        raise ValueError("its history has no accuracies")
    return SavedSearch(
        variant=decode_variant(values["variant"]),
        seed=values["seed"],
        progress=progress,
        past=past,
        units=str(values["units"]),
        tensors=tensors,
    )


def _stored_names(model: Model) -> dict[str, str]:
    """Return under what name each tensor of the model lies in a file: its own, where its ``state_dict`` has it."""
    state = model.module.state_dict(keep_vars=True)
    names = {name: name if name in state else f"{_BESIDE}{name}" for name in model.shapes}
    return names | {alias: alias for alias in model.aliases if alias in state}


def _has_unit(table: UnitTable, layer: int, unit: int) -> bool:
    return 0 <= layer < len(table.unit_counts) and 0 <= unit < table.unit_counts[layer]


def _plain(tensor: torch.Tensor, *, copy: bool = False) -> torch.Tensor:
    """Return a tensor as it lies in a file; a file refuses two names of one memory."""
    plain = tensor.detach().to("cpu").contiguous()
    return plain.clone() if copy else plain


def units_digest(units: Sequence[Unit]) -> str:
    """Return how many units there are, and a digest of all that they say; of many units, that takes a while."""
    digest = hashlib.sha256()
    for unit in units:
        digest.update(json.dumps(asdict(unit)).encode())
    return f"{len(units)} {digest.hexdigest()}"


def _digest(content: str, tensors: Tensors) -> str:
    digest = hashlib.sha256(content.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        numbers = torch.view_as_real(tensor) if tensor.is_complex() else tensor
        digest.update(numbers.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
