"""What ``psa clean`` removes: a plan made from one listing of the models folder, then carried out by name.

The folder is opened once, without following a link, and everything after that happens relative to its
descriptor: a name is one entry of that folder and nothing else, so no argument and no link leads outside.
A plan's groups are guarded each by the lock of the checkpoint its files belong to.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from psa_tui.errors import CheckpointError, ConfigError, PsaError
from psa_tui.formatting import printable
from psa_tui.storage.atomic_write import temporary_path
from psa_tui.storage.checkpoint import previous_path
from psa_tui.storage.locks import holder, lock_path, locked

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


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was removed, and one message for each thing that could not be."""

    removed: tuple[Entry, ...]
    failures: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """An open models folder and what it held when it was opened."""

    path: Path
    descriptor: int
    found: Mapping[str, Entry]

    def check_free(self, plan: Plan) -> None:
        """Make sure that nobody trains what ``plan`` would remove.

        Raises:
            CheckpointError: a process does; the message names its process id.
        """
        for group in plan.groups:
            if group.checkpoint is not None and self._has_lock_file(group.checkpoint):
                path = self.path / group.checkpoint
                if (process := holder(path)) is not None:
                    raise CheckpointError(
                        f"{printable(path)} is being trained by process {process}, so nothing was removed; "
                        "wait for it or stop it"
                    )

    def remove(self, plan: Plan) -> Outcome:
        """Carry out ``plan``, each group under its checkpoint's lock; a group in use by now stays whole."""
        removed: list[Entry] = []
        failures: list[str] = []
        for group in plan.groups:
            try:
                with self._guard(group.checkpoint):
                    for entry in group.entries:
                        try:
                            os.unlink(entry.name, dir_fd=self.descriptor)
                        except FileNotFoundError:
                            continue
                        except OSError as error:
                            path = printable(self.path / entry.name)
                            failures.append(f"{path}: cannot be removed ({error.strerror}); check its permissions")
                        else:
                            removed.append(entry)
            except CheckpointError as error:
                failures.append(printable(str(error)))
        return Outcome(tuple(removed), tuple(failures))

    def _is_in_place(self) -> bool:
        try:
            return os.path.samestat(os.lstat(self.path), os.fstat(self.descriptor))
        except OSError:
            return False

    def _has_lock_file(self, checkpoint: str) -> bool:
        """Whether a trainer may hold the lock; anything but a file in its place lets no trainer start."""
        entry = self.found.get(lock_path(Path(checkpoint)).name)
        return entry is not None and entry.kind is Kind.FILE

    @contextmanager
    def _guard(self, checkpoint: str | None) -> Iterator[None]:
        """Hold ``checkpoint``'s lock, and leave no lock file that was not there before."""
        if checkpoint is None:
            yield
            return
        # A lock is taken by path, so the path must still lead to the folder that was opened.
        if not self._is_in_place():
            raise CheckpointError(f"{self.path} was moved or replaced meanwhile; run psa clean again")
        name = lock_path(Path(checkpoint)).name
        possible = len(os.fsencode(name)) <= os.fpathconf(self.descriptor, "PC_NAME_MAX")
        lockable = self._has_lock_file(checkpoint) if name in self.found else possible
        with locked(self.path / checkpoint) if lockable else nullcontext():
            yield
            if name not in self.found and lockable:
                with suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=self.descriptor)


@contextmanager
def opened(path: Path) -> Iterator[ModelFolder | None]:
    """The models folder at ``path``, or None when there is none.

    Raises:
        ConfigError: it is a symbolic link, no folder, or cannot be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        yield None
        return
    except OSError as error:
        raise ConfigError(_why_not_opened(path, error)) from None
    try:
        yield ModelFolder(path, descriptor, _listing(descriptor))
    finally:
        os.close(descriptor)


def _why_not_opened(path: Path, error: OSError) -> str:
    shown = printable(path)
    if path.is_symlink():
        target = printable(os.path.realpath(path))
        return f"{shown} is a symbolic link, expected a folder; name the real one: --model-dir {target}"
    if error.errno == errno.ENOTDIR:
        return f"{shown} is no folder; name the models folder with --model-dir"
    return f"{shown}: cannot be read ({error.strerror}); name another folder with --model-dir"


def _listing(descriptor: int) -> dict[str, Entry]:
    found = {}
    with os.scandir(descriptor) as names:
        for item in names:
            with suppress(FileNotFoundError):
                status = item.stat(follow_symlinks=False)
                kind = _kind(status.st_mode)
                found[item.name] = Entry(item.name, kind, status.st_size if kind is Kind.FILE else 0)
    return found


def _kind(mode: int) -> Kind:
    if stat.S_ISREG(mode):
        return Kind.FILE
    if stat.S_ISLNK(mode):
        return Kind.LINK
    return Kind.FOLDER if stat.S_ISDIR(mode) else Kind.SPECIAL


def plan_default(found: Mapping[str, Entry], checkpoint: str) -> Plan:
    """Return the plan for ``checkpoint``, the default one's name, and what belongs to it."""
    return _plan(found, _family(checkpoint))


def plan_all(found: Mapping[str, Entry], checkpoint: str) -> Plan:
    """Return the plan for every visible name, and for the dot-files of ``checkpoint`` and of those among them."""
    visible = sorted(name for name in found if not name.startswith("."))
    return _plan(found, [member for name in [checkpoint, *visible] for member in _family(name)])


def plan_named(found: Mapping[str, Entry], folder: Path, names: Iterable[str]) -> Plan:
    """``names``, as ``name_inside`` gives them, and what belongs to the checkpoints among them.

    Raises:
        PsaError: a name is not there, or is a folder.
    """
    names = list(names)
    for name in names:
        entry = found.get(name)
        if entry is None:
            raise PsaError(f"{printable(folder / name)}: there is no such file, so nothing was removed; check the name")
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


def _checkpoint_of(name: str) -> str | None:
    """The checkpoint whose trainer writes ``name``, by the rules of ``_family``; None when it is nobody's."""
    if name.startswith("."):
        name = name[1:].removesuffix(".lock").removesuffix(".tmp")
    stem = name.removesuffix(_SUFFIX)
    return None if stem in (name, "") else stem.removesuffix(".previous") + _SUFFIX


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
            groups.setdefault(_checkpoint_of(name), []).append(entry)
    for checkpoint, entries in groups.items():
        if checkpoint is not None:
            # The lock file is the last to go: until then it keeps every trainer out.
            entries.sort(key=lambda entry: entry.name == lock_path(Path(checkpoint)).name)
    return Plan(tuple(Group(checkpoint, tuple(entries)) for checkpoint, entries in groups.items()), tuple(kept))
