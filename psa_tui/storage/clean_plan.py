"""Which files of a models folder ``psa clean`` would remove: a checkpoint, named files, or all."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from psa_tui.errors import ConfigError, PsaError
from psa_tui.formatting import did_you_mean, printable
from psa_tui.storage.atomic_write import temporary_path
from psa_tui.storage.checkpoint import previous_path
from psa_tui.storage.locks import lock_path

_SUFFIX = ".safetensors"


class Kind(StrEnum):
    """What a name in the models folder is; the value is what people read."""

    FILE = "file"
    LINK = "link"
    FOLDER = "folder"
    SPECIAL = "special file"


@dataclass(frozen=True, slots=True)
class Entry:
    """One name in the models folder."""

    name: str
    kind: Kind
    size_bytes: int
    """The size of a file; 0 for anything else."""


@dataclass(frozen=True, slots=True)
class Group:
    """Entries that go together, under the lock of the checkpoint they belong to (None: to none)."""

    checkpoint: str | None
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be removed, in this order, and the folders that stay although their names were meant."""

    groups: tuple[Group, ...]
    kept: tuple[str, ...]

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Everything that would be removed."""
        return tuple(entry for group in self.groups for entry in group.entries)


def plan_default(found: Mapping[str, Entry], checkpoint: str) -> Plan:
    """Return the plan for ``checkpoint``, the default one's name, and what belongs to it."""
    return _plan(found, _family(checkpoint))


def plan_all(found: Mapping[str, Entry], checkpoint: str) -> Plan:
    """Return the plan for every visible name, and for the dot-files of ``checkpoint`` and of those among them."""
    visible = sorted(name for name in found if not name.startswith("."))
    return _plan(found, [member for name in [checkpoint, *visible] for member in _family(name)])


def plan_checkpoints(found: Mapping[str, Entry]) -> Plan:
    """Return the plan for every checkpoint, and what belongs to it: of a folder that may hold something else, too."""
    checkpoints = sorted({checkpoint for name in found if (checkpoint := checkpoint_of(name)) is not None})
    return _plan(found, [member for name in checkpoints for member in _family(name)])


def plan_everything(found: Mapping[str, Entry]) -> Plan:
    """Return the plan for every name, dot-files too: of a folder in the trash."""
    return _plan(found, sorted(found))


def plan_named(found: Mapping[str, Entry], folder: Path, names: Iterable[str]) -> Plan:
    """``names``, as ``name_inside`` gives them, and what belongs to the checkpoints among them.

    Raises:
        ConfigError: a name is not there.
        PsaError: one is a folder.
    """
    names = list(names)
    for name in names:
        entry = found.get(name)
        if entry is None:
            raise ConfigError(
                f"{printable(folder / name)}: there is no such file, so nothing was removed; check the name"
                f"{did_you_mean(name, (one for one in found if not one.startswith('.') and one not in names))}"
            )
        if entry.kind is Kind.FOLDER:
            raise PsaError(
                f"{printable(folder / name)} is a folder, expected a file, so nothing was removed; "
                "psa clean removes no folders"
            )
    return _plan(found, [member for name in names for member in _family(name)])


def name_inside(folder: Path, text: str) -> str:
    """The name in ``folder`` that an argument means: a bare name, or one with the folder's path before it.

    Raises:
        ConfigError: it would lie anywhere else.
    """
    cut = text.rfind("/") + 1
    prefix, name = text[:cut], text[cut:]
    spellings = (folder, folder.absolute(), Path(os.path.realpath(folder)))
    if name in ("", ".", "..") or "\0" in text or (prefix and Path(prefix) not in spellings):
        raise ConfigError(
            f"{printable(text)!r} does not name a file in {printable(folder)}, so nothing was removed; "
            f"expected NAME or {printable(folder / 'NAME')} (--model-dir chooses another folder)"
        )
    return name


def _family(name: str) -> list[str]:
    """``name`` and, if it is a checkpoint's, the names psa gives to what belongs to it; the lock last."""
    if not name.endswith(_SUFFIX) or name.startswith("."):
        return [name]
    path = Path(name)
    previous = previous_path(path)
    members = (path, previous, temporary_path(path), temporary_path(previous), lock_path(path))
    return [member.name for member in members]


def checkpoint_of(name: str) -> str | None:
    """The checkpoint whose trainer writes ``name``, by the rules of ``_family``; None when it is nobody's."""
    if name.startswith("."):
        name = name[1:].removesuffix(".lock").removesuffix(".tmp")
    stem = name.removesuffix(_SUFFIX)
    return None if stem in (name, "") else stem.removesuffix(".previous") + _SUFFIX


def is_lock(name: str) -> bool:
    """Whether ``name`` is that of a checkpoint's lock file."""
    checkpoint = checkpoint_of(name)
    return checkpoint is not None and name == lock_path(Path(checkpoint)).name


def _plan(found: Mapping[str, Entry], names: Iterable[str]) -> Plan:
    groups: dict[str | None, list[Entry]] = {}
    kept = []
    for name in dict.fromkeys(names):
        entry = found.get(name)
        if entry is None:
            continue
        if entry.kind is Kind.FOLDER:
            kept.append(name)
        else:
            groups.setdefault(checkpoint_of(name), []).append(entry)
    for checkpoint, entries in groups.items():
        if checkpoint is not None:
            # The lock file is the last to go: until then it keeps every trainer out.
            entries.sort(key=lambda entry: entry.name == lock_path(Path(checkpoint)).name)
    return Plan(tuple(Group(checkpoint, tuple(entries)) for checkpoint, entries in groups.items()), tuple(kept))
