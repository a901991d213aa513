"""The trash of a models folder: what was taken away, in a folder for each time, until it is brought back or purged.

``.trash/TIME/`` has the names that the models folder had; what was in the folder of a run lies in a folder of its name
there. A dot before it keeps it from being a run's or a checkpoint's. As in ``cleaning``, every name is one entry of
a folder that is open.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from psa_tui.errors import PsaError
from psa_tui.formatting import printable
from psa_tui.outside import is_plain_name
from psa_tui.storage.clean_plan import Entry, Kind, Plan, plan_everything
from psa_tui.storage.cleaning import ModelFolder, Outcome, entry_of, listing, open_folder

TRASH = ".trash"
Listed = tuple[Path, Entry]
"""A name, and the folder in which it is."""


@dataclass(frozen=True, slots=True)
class Part:
    """What is to be taken away from one folder: the models folder, or the one in it that is the run ``name``'s."""

    folder: ModelFolder
    plan: Plan
    name: str | None = None

    @property
    def listed(self) -> list[Listed]:
        """Everything that would be taken away."""
        return [(self.folder.path, entry) for entry in self.plan.entries]


@dataclass(slots=True)
class Report:
    """What was done, and one message for each thing that could not be."""

    done: list[Listed] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def take(self, folder: ModelFolder, outcome: Outcome) -> None:
        """Add what came of one folder."""
        self.done += [(folder.path, entry) for entry in outcome.removed]
        self.failures += outcome.failures


def move_to_trash(models: ModelFolder, parts: Sequence[Part]) -> Report:
    """Move what ``parts`` plan into a new folder of the trash of ``models``; lock files just go: nobody needs one back.

    Raises:
        PsaError: there can be no trash, and nothing was moved.
    """
    report = Report()
    with ExitStack() as stack:
        try:
            trash = stack.enter_context(_inside(TRASH, models.descriptor, make=True))
            now = f"{datetime.now(UTC):%Y%m%d-%H%M%S-%f}"
            os.mkdir(now, dir_fd=trash)
            batch = stack.enter_context(_inside(now, trash))
            places = [
                batch if part.name is None else stack.enter_context(_inside(part.name, batch, make=True))
                for part in parts
            ]
        except OSError as error:
            raise PsaError(
                f"{printable(models.path / TRASH)}: cannot be used ({error.strerror}), so nothing was removed; "
                "--purge deletes without it"
            ) from None
        for part, place in zip(parts, places, strict=True):
            report.take(part.folder, part.folder.remove(part.plan, place))
    _remove_empty(models, parts)
    return report


def delete(models: ModelFolder, parts: Sequence[Part]) -> Report:
    """Delete for good what ``parts`` plan, and all that is in the trash."""
    report = Report()
    for part in parts:
        report.take(part.folder, part.folder.remove(part.plan))
    _remove_empty(models, parts)
    if TRASH in models.found:
        before = in_trash(models)
        try:
            shutil.rmtree(TRASH, dir_fd=models.descriptor)
        except OSError as error:
            path = printable(models.path / TRASH)
            report.failures.append(f"{path}: cannot be deleted ({error.strerror or error}); see what it is")
        left = set(in_trash(models))
        report.done += [one for one in before if one not in left]
    return report


def in_trash(models: ModelFolder) -> list[Listed]:
    """Return every file in the trash, oldest first."""
    found: list[Listed] = []
    if TRASH not in models.found or models.found[TRASH].kind is not Kind.FOLDER:
        return found
    with suppress(FileNotFoundError):
        for place, folders, files, descriptor in os.fwalk(TRASH, dir_fd=models.descriptor):
            folders.sort()
            for name in sorted(files):
                status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                found.append((models.path / place, entry_of(name, status)))
    return found


@contextmanager
def last_in_trash(models: ModelFolder | None, path: Path) -> Iterator[list[tuple[Part, int]]]:
    """Open what the last time took away: parts as they would come back, and the folders in which they lie.

    Args:
        models: the models folder, at ``path``; None where there is none.

    Raises:
        PsaError: there is no trash, or something else is in its place.
    """
    nothing = f"nothing is in the trash of {printable(path)}"
    if models is None:
        raise PsaError(nothing)
    with ExitStack() as stack:
        try:
            trash = stack.enter_context(_inside(TRASH, models.descriptor))
            times = sorted(one.name for one in listing(trash).values() if one.kind is Kind.FOLDER)
            # A kill may have left an empty one.
            while times and _removed_empty(times[-1], trash):
                times.pop()
            batch = stack.enter_context(_inside(times[-1] if times else "", trash))
            found = listing(batch)
            parts = [(Part(models, plan_everything(found)), batch)]
            for entry in found.values():
                if entry.kind is Kind.FOLDER and is_plain_name(entry.name):
                    place = stack.enter_context(_inside(entry.name, batch))
                    home = stack.enter_context(models.subfolder(entry.name, make=True))
                    assert home is not None
                    parts.append((Part(home, plan_everything(listing(place)), entry.name), place))
        except OSError as error:
            if isinstance(error, FileNotFoundError):
                raise PsaError(nothing) from None
            raise PsaError(f"{printable(path / TRASH)}: cannot be read ({error.strerror})") from None
        try:
            yield [(part, place) for part, place in parts if part.plan.entries]
        finally:
            _remove_empty(models, [part for part, _ in parts])


def bring_back(parts: Sequence[tuple[Part, int]]) -> Report:
    """Move what ``last_in_trash`` found to where it was; where anything is in its place by now, nothing moves.

    Raises:
        PsaError: a name is taken.
        CheckpointError: a process trains there.
    """
    for part, _ in parts:
        part.folder.check_free(part.plan)
    report = Report()
    for part, place in parts:
        report.take(part.folder, part.folder.bring_back(part.plan, place))
    return report


@contextmanager
def _inside(name: str, descriptor: int, *, make: bool = False) -> Iterator[int]:
    """Open the folder ``name`` of another one; it is removed afterwards where it is empty then."""
    if make:
        with suppress(FileExistsError):
            os.mkdir(name, dir_fd=descriptor)
    opened = open_folder(name, descriptor)
    try:
        yield opened
    finally:
        os.close(opened)
        _removed_empty(name, descriptor)


def _remove_empty(models: ModelFolder, parts: Sequence[Part]) -> None:
    """Remove the folders of runs that have nothing in them any more."""
    for part in parts:
        if part.name is not None:
            _removed_empty(part.name, models.descriptor)


def _removed_empty(name: str, descriptor: int) -> bool:
    """Remove a folder that is empty; return whether it was."""
    try:
        os.rmdir(name, dir_fd=descriptor)
    except OSError:
        return False
    return True
