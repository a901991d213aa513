"""Writing a file so that a kill or a full disk leaves the old one or the new one, never a mixture."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from psa_tui.errors import PsaError


class UnsyncedError(OSError):
    """The new content is in place, but the system could not make its name durable: a loss of power may undo it."""


def temporary_path(path: Path) -> Path:
    """Return where the new content of ``path`` is written before it takes its place.

    Raises:
        IsADirectoryError: it has no name of a file, as ``.`` and ``/`` have none.
    """
    if not path.name:
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    return path.with_name(f".{path.name}.tmp")


def atomic_write(path: Path, content: bytes, keep: Path | None = None) -> None:
    """Make ``content`` the content of ``path``, durably; what was there stays at ``keep``, if that is given.

    Written beside it, flushed, renamed, and the folder flushed.

    Raises:
        UnsyncedError: it is written, and not yet durable.
        OSError: it cannot be written; ``path`` is as it was.
    """
    temporary = temporary_path(path)
    # Opened first, so that after the rename nothing but the flush itself can fail.
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            temporary.unlink(missing_ok=True)
            _write_synced(temporary, content)
            if keep is not None and path.exists():
                _keep(path, keep)
            temporary.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
        try:
            _sync(folder)
        except OSError as error:
            raise UnsyncedError(error.errno, error.strerror, str(path.parent)) from None
    finally:
        os.close(folder)


def _write_synced(path: Path, content: bytes) -> None:
    """Make a new file; a name that exists, also as a link, is refused."""
    with named(path), path.open("xb") as file:
        file.write(content)
        file.flush()
        _sync(file.fileno())


@contextlib.contextmanager
def named(path: Path) -> Iterator[None]:
    """Let an error of the system within the block name ``path``, if it names nothing."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise


def _sync(descriptor: int) -> None:
    """Flush to the medium; macOS's fsync leaves the content in the drive's cache."""
    if sys.platform == "darwin":
        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
    else:
        os.fsync(descriptor)


def _keep(path: Path, kept: Path) -> None:
    """Give the file at ``path`` a second name, ``kept``, without a moment in which it has none."""
    spare = kept.with_name(f".{kept.name}.tmp")
    spare.unlink(missing_ok=True)
    try:
        os.link(path, spare)
    except OSError:
        # Some file systems have no hard links.
        _write_synced(spare, path.read_bytes())
    spare.replace(kept)


def make_folder(folder: Path, option: str, error_class: type[PsaError] = PsaError) -> None:
    """Make ``folder`` where there is none, durably; ``option`` is what chooses another one.

    Raises:
        PsaError: it cannot be made; as ``error_class``.
    """
    try:
        missing = [one for one in (folder, *folder.parents) if not one.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        for one in missing:
            # Else a loss of power could take the folder, with all that was flushed within.
            descriptor = os.open(one.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                _sync(descriptor)
            finally:
                os.close(descriptor)
    except OSError as error:
        raise error_class(f"{folder}: cannot be made ({error.strerror}); choose another {option}") from None
