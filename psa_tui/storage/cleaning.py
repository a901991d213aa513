"""Removing files from a models folder: one listing, and a plan made of it that is carried out by name.

The folder is opened once, without following a link, and everything after that happens relative to its
descriptor: a name is one entry of that folder and nothing else, so no argument and no link leads outside.
A plan's groups are guarded each by the lock of the checkpoint its files belong to. A file is deleted, or moved into
the trash (``trash``), which is a folder of the same folder: that needs no space, and can be undone.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from psa_tui.errors import CheckpointError, ConfigError, PsaError
from psa_tui.formatting import printable
from psa_tui.storage.clean_plan import Entry, Kind, Plan, checkpoint_of, is_lock
from psa_tui.storage.locks import NoSpaceError, holder, lock_path, locked

_REPOSITORIES = {".git", ".hg", ".svn"}


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

    @contextmanager
    def subfolder(self, name: str, *, make: bool = False) -> Iterator[ModelFolder | None]:
        """Open the folder ``name`` in this one, no link; None where there is none, and it is not to be made.

        Raises:
            ConfigError: it is a symbolic link, no folder, or cannot be read.
        """
        if make:
            with suppress(FileExistsError):
                os.mkdir(name, dir_fd=self.descriptor)
        with opened(self.path / name, name, self.descriptor) as folder:
            yield folder

    def _check_may_be_emptied(self, runs: Iterable[ModelFolder]) -> None:
        """Make sure that this is a folder of checkpoints and of nothing else.

        Raises:
            ConfigError: it holds no checkpoint, or is a home, a repository, or a folder around the current one.
        """
        real = Path(os.path.realpath(self.path))
        reasons = {
            "holds no checkpoint": not any(checkpoint_of(name) for one in (self, *runs) for name in one.found),
            "is a home folder": real == Path(os.path.realpath(os.path.expanduser("~"))),
            "is, or holds, the current folder": Path.cwd().resolve().is_relative_to(real),
            "is a repository": not _REPOSITORIES.isdisjoint(self.found),
        }
        why = next((reason for reason, holds in reasons.items() if holds), "")
        if why:
            raise ConfigError(
                f"{printable(self.path)} {why}, so it is not emptied; name the files to remove, or the models folder "
                "with --model-dir"
            )

    def check(self, plan: Plan, *, is_everything: bool, runs: Iterable[ModelFolder] = ()) -> None:
        """Make sure that ``plan`` may be carried out: nobody trains what it removes, the folder is ours.

        Args:
            runs: the folders in it that are emptied with it.

        Raises:
            CheckpointError: a process does; the message names its process id.
            ConfigError: everything would be removed from a folder of other files.
        """
        if is_everything:
            self._check_may_be_emptied(runs)
        self._check_untrained(plan, "removed")

    def _check_untrained(self, plan: Plan, done: str) -> None:
        for group in plan.groups:
            if group.checkpoint is not None and self._has_lock_file(group.checkpoint):
                path = self.path / group.checkpoint
                if (process := holder(path)) is not None:
                    raise CheckpointError(
                        f"{printable(path)} is being trained by process {process}, so nothing was {done}; "
                        "wait for it or stop it"
                    )

    def check_free(self, plan: Plan) -> None:
        """Make sure that what ``plan`` brings back is in nobody's place.

        Raises:
            CheckpointError: a process trains there.
            PsaError: a name is taken.
        """
        self._check_untrained(plan, "brought back")
        taken = next((entry.name for entry in plan.entries if entry.name in self.found), None)
        if taken is not None:
            raise PsaError(f"{printable(self.path / taken)} is there, so nothing was brought back; move it away first")

    def remove(self, plan: Plan, trash: int | None = None) -> Outcome:
        """Carry out ``plan``, each group under its checkpoint's lock; a group in use by now stays whole.

        Args:
            trash: the folder to which files move; None to delete them.
        """

        def remove(name: str) -> None:
            if stat.S_ISDIR(os.stat(name, dir_fd=self.descriptor, follow_symlinks=False).st_mode):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            if trash is None or is_lock(name):
                os.unlink(name, dir_fd=self.descriptor)
            else:
                os.rename(name, name, src_dir_fd=self.descriptor, dst_dir_fd=trash)

        return self._carry_out(plan, remove, "removed")

    def bring_back(self, plan: Plan, trash: int) -> Outcome:
        """Move what ``plan`` names from the folder ``trash``, each group under its checkpoint's lock."""

        def restore(name: str) -> None:
            # Whoever might make it meanwhile is kept out by the lock.
            with suppress(FileNotFoundError):
                os.stat(name, dir_fd=self.descriptor, follow_symlinks=False)
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
            os.rename(name, name, src_dir_fd=trash, dst_dir_fd=self.descriptor)

        return self._carry_out(plan, restore, "brought back")

    def _carry_out(self, plan: Plan, act: Callable[[str], None], done: str) -> Outcome:
        removed: list[Entry] = []
        failures: list[str] = []
        for group in plan.groups:
            try:
                with self._guard(group.checkpoint):
                    for entry in group.entries:
                        try:
                            act(entry.name)
                        except FileNotFoundError:
                            continue
                        except OSError as error:
                            path = printable(self.path / entry.name)
                            failures.append(f"{path}: cannot be {done} ({error.strerror}); check its permissions")
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
        with ExitStack() as held:
            if lockable:
                # When the disk is full there must be a way to free some of it; no trainer can start there either.
                with suppress(NoSpaceError):
                    held.enter_context(locked(self.path / checkpoint))
            yield
            if name not in self.found and lockable:
                with suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=self.descriptor)


@contextmanager
def opened(path: Path, name: str | None = None, parent: int | None = None) -> Iterator[ModelFolder | None]:
    """The models folder at ``path``, or None when there is none; ``name`` in the open folder ``parent``, if given.

    Raises:
        ConfigError: it is a symbolic link, no folder, or cannot be read.
    """
    try:
        descriptor = open_folder(path if name is None else name, parent)
    except FileNotFoundError:
        yield None
        return
    except OSError as error:
        raise ConfigError(_why_not_opened(path, error)) from None
    try:
        yield ModelFolder(path, descriptor, listing(descriptor))
    finally:
        os.close(descriptor)


def open_folder(name: str | Path, parent: int | None = None) -> int:
    """Return a descriptor of a folder, which is no link.

    Raises:
        OSError: it is something else, is not there, or cannot be read.
    """
    return os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)


def _why_not_opened(path: Path, error: OSError) -> str:
    shown = printable(path)
    if path.is_symlink():
        target = printable(os.path.realpath(path))
        return f"{shown} is a symbolic link, expected a folder; name the real one: --model-dir {target}"
    if error.errno == errno.ENOTDIR:
        return f"{shown} is no folder; name the models folder with --model-dir"
    return f"{shown}: cannot be read ({error.strerror}); name another folder with --model-dir"


def listing(descriptor: int) -> dict[str, Entry]:
    """Return what an open folder holds, by name."""
    found = {}
    with os.scandir(descriptor) as names:
        for item in names:
            with suppress(FileNotFoundError):
                found[item.name] = entry_of(item.name, item.stat(follow_symlinks=False))
    return found


def entry_of(name: str, status: os.stat_result) -> Entry:
    """Return a name as a plan has it."""
    kind = _kind(status.st_mode)
    return Entry(name, kind, status.st_size if kind is Kind.FILE else 0)


def _kind(mode: int) -> Kind:
    if stat.S_ISREG(mode):
        return Kind.FILE
    if stat.S_ISLNK(mode):
        return Kind.LINK
    return Kind.FOLDER if stat.S_ISDIR(mode) else Kind.SPECIAL
