"""The trash of a results folder: studies that were deleted, until they are brought back or purged.

``.trash/TIME/`` is a results folder of its own: a database with the rows of one study, and the states of its parts
under way. Rows go first and come back last, so that a kill leaves nothing that is in neither place, and saying the same
once more ends what was begun. A registration stays where it is: it is what a later study of the name is held to.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from psa_tui.errors import CheckpointError, ConfigError, PsaError
from psa_tui.formatting import did_you_mean, printable
from psa_tui.outside import is_plain_name
from psa_tui.storage.atomic_write import make_folder
from psa_tui.storage.cleaning import open_folder
from psa_tui.storage.locks import LockedError, lock_path, locked
from psa_tui.storage.study_rows import StudyRow
from psa_tui.storage.study_store import read_store
from psa_tui.storage.study_transfer import delete_study, move_study
from psa_tui.studies.part_files import study_folder, study_lock

TRASH = ".trash"


def find_study(results_dir: Path, name: str) -> tuple[StudyRow, int]:
    """Return a study of the history, and how many trials it has.

    Raises:
        ConfigError: there is none of this name.
        HistoryError: the history cannot be read.
    """
    with read_store(results_dir) as store:
        found = None if store is None else store.study(name)
        if store is None or found is None:
            known = [] if store is None else [row.study for row in store.studies()]
            hint = did_you_mean(name, known)
            raise ConfigError(f"no study {name} is in {results_dir}{hint} (psa study list shows those that are)")
        return found, len(store.trials(name))


def move_to_trash(results_dir: Path, name: str) -> None:
    """Move a study into the trash of its results folder.

    Raises:
        ConfigError: a process works on it.
        PsaError: it cannot be moved; what could not be is where it was.
    """
    trash = results_dir / TRASH
    with _alone(results_dir, name):
        make_folder(trash, "--results-dir")
        _check_own(trash)
        batch = trash / f"{datetime.now(UTC):%Y%m%d-%H%M%S-%f}"
        make_folder(batch, "--results-dir")
        move_study(name, results_dir, batch)
        _move_files(name, results_dir, batch)


def bring_back(results_dir: Path, *, dry_run: bool = False) -> str:
    """Bring back the study that last went into the trash, and return its name; with ``dry_run`` only that.

    Raises:
        ConfigError: a process works on a study of its name.
        PsaError: there is a study of its name, or nothing is in the trash.
    """
    for batch, name in reversed(in_trash(results_dir)):
        with read_store(results_dir) as store, read_store(batch) as deleted:
            there = None if store is None else store.study(name)
            gone = None if deleted is None else deleted.study(name)
        is_copy = there is not None and gone is not None and there.created_at == gone.created_at
        if there is not None and not is_copy:
            raise PsaError(f"study {name} is in {results_dir} again, so nothing was brought back; delete that first")
        if dry_run:
            return name
        with _alone(results_dir, name):
            _move_files(name, batch, results_dir)
            if not is_copy:
                move_study(name, batch, results_dir)
        _remove(batch)
        if not is_copy:
            return name
        # A kill came between the copy and the rest: what it left was none the less one deletion.
    raise PsaError(f"nothing is in the trash of {results_dir}")


def purge(results_dir: Path, name: str | None) -> None:
    """Delete a study for good, if one is named, and all that is in the trash.

    Raises:
        ConfigError: a process works on it.
        PsaError: it cannot be deleted.
    """
    if name is not None:
        with _alone(results_dir, name):
            delete_study(name, results_dir)
            for path in _files(study_folder(results_dir, name)) if is_plain_name(name) else ():
                path.unlink()
    if os.path.lexists(trash := results_dir / TRASH):
        _check_own(trash)
        _remove(trash)


def in_trash(results_dir: Path) -> list[tuple[Path, str]]:
    """Return the folders and names of the studies in the trash, oldest first.

    Raises:
        ConfigError: something else is in its place.
        HistoryError: a database in it cannot be read.
    """
    trash, found = results_dir / TRASH, []
    if not os.path.lexists(trash):
        return []
    _check_own(trash)
    for batch in sorted(trash.iterdir()):
        if not batch.is_symlink() and batch.is_dir():
            with read_store(batch) as store:
                found += [(batch, row.study) for row in ([] if store is None else store.studies())]
    return found


@contextmanager
def _alone(results_dir: Path, name: str) -> Iterator[None]:
    """Hold the lock of a study while the block runs; a folder that is empty then goes."""
    if not is_plain_name(name):
        yield  # Nobody trains it: names of folders are plain.
        return
    folder = study_folder(results_dir, name)
    make_folder(folder, "--results-dir", CheckpointError)
    _check_own(folder)
    try:
        with locked(study_lock(results_dir, name), "--results-dir"):
            try:
                yield
            finally:
                if not list(_files(folder)):
                    with suppress(OSError):
                        lock_path(study_lock(results_dir, name)).unlink()
                        folder.rmdir()
    except LockedError as error:
        raise ConfigError(
            f"study {name} is being run by process {error.process}, so nothing was changed; stop it first"
        ) from None


def _move_files(name: str, source: Path, target: Path) -> None:
    """Move the states of a study's parts from one results folder into another one."""
    if not is_plain_name(name):
        return
    place = study_folder(target, name)
    for path in _files(study_folder(source, name)):
        make_folder(place, "--results-dir", CheckpointError)
        _check_own(place)
        path.rename(place / path.name)


def _files(folder: Path) -> Iterator[Path]:
    """Go through the files of a study's folder but for its lock."""
    if folder.is_dir():
        _check_own(folder)
        yield from [path for path in folder.iterdir() if path.name != lock_path(Path("study")).name]


def _check_own(folder: Path) -> None:
    """Make sure that a folder is one, and no link to somebody's.

    Raises:
        ConfigError: it is not.
    """
    try:
        os.close(open_folder(folder))
    except OSError as error:
        reason = "is a symbolic link" if folder.is_symlink() else f"cannot be read ({error.strerror})"
        raise ConfigError(f"{printable(folder)} {reason}, expected a folder; move it away") from None


def _remove(folder: Path) -> None:
    """Remove a folder of the trash, or all of it."""
    try:
        shutil.rmtree(folder)
    except OSError as error:
        raise PsaError(f"{error.filename}: cannot be deleted ({error.strerror}); see to its permissions") from None
