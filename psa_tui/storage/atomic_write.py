"""Writing a file so that a kill or a full disk leaves the old one or the new one, never a mixture."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from psa_tui.errors import PsaError


def temporary_path(path: Path) -> Path:
    """Where the new content of ``path`` is written before it takes its place."""
    return path.with_name(f".{path.name}.tmp")


def atomic_write(path: Path, content: bytes, keep: Path | None = None) -> None:
    """Make ``content`` the content of ``path``, durably; what was there stays at ``keep``, if that is given.

    Written beside it, flushed, renamed, and the folder flushed.

    Raises:
        OSError: it cannot be written; ``path`` is as it was.
    """
    temporary = temporary_path(path)
    try:
        temporary.unlink(missing_ok=True)
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if keep is not None and path.exists():
            _keep(path, keep)
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def _keep(path: Path, kept: Path) -> None:
    """Give the file at ``path`` a second name, ``kept``, without a moment in which it has none."""
    spare = kept.with_name(f".{kept.name}.tmp")
    spare.unlink(missing_ok=True)
    try:
        os.link(path, spare)
    except OSError:
        # Some file systems have no hard links.
        with spare.open("xb") as file:
            file.write(path.read_bytes())
            file.flush()
            os.fsync(file.fileno())
    spare.replace(kept)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path, option: str, error_class: type[PsaError] = PsaError) -> None:
    """Make ``folder`` where there is none; ``option`` is what chooses another one.

    Raises:
        PsaError: it cannot be made; as ``error_class``.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise error_class(f"{folder}: cannot be made ({error.strerror}); choose another {option}") from None
