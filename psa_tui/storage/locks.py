"""One trainer per LKG file: an advisory lock that dies with its process.

``flock`` belongs to the open file, so the kernel releases it however the holder ends; what is left in the
folder is an empty promise and no obstacle. The file holds the holder's process id, for the message only.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from psa_tui.errors import CheckpointError


class NoSpaceError(CheckpointError):
    """There is no lock file yet, and no space for one: nobody else holds it, or can."""


class LockedError(CheckpointError):
    """Another process holds the lock; ``process`` is its id, "unknown" where it did not say."""

    def __init__(self, path: Path, process: str) -> None:
        """Say who trains ``path``."""
        super().__init__(
            f"{path} is being trained by process {process}; wait for it, stop it, or choose another --model-dir"
        )
        self.process = process


_PATIENCE_S = 0.2
"""How long a lock may be held by somebody who only asks who holds it (``holder``)."""
_FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


def lock_path(path: Path) -> Path:
    """The lock file that guards ``path``."""
    return path.with_name(f".{path.name}.lock")


@contextmanager
def locked(path: Path, option: str = "--model-dir") -> Iterator[None]:
    """Hold the lock of ``path`` while the block runs; ``option`` is what chooses another folder.

    Raises:
        LockedError: another process holds it.
        NoSpaceError: the disk is full.
        CheckpointError: the folder cannot be written.
    """
    descriptor = _take(path, option)
    try:
        # On a full disk others are told that an unknown process holds it.
        with suppress(OSError):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def take_lock(file: Path, *, wait: bool) -> int:
    """Return a descriptor of ``file``, made if need be, with an exclusive lock on it that lasts until it is closed.

    Raises:
        BlockingIOError: another process holds the lock, and ``wait`` is false.
        OSError: the file cannot be opened (``filename`` is it), or its file system cannot lock (there is none).
    """
    while True:
        descriptor = os.open(file, _FLAGS | os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            # Somebody may have removed the file (psa clean does) after it was opened and before it was locked.
            if os.path.samestat(os.fstat(descriptor), os.stat(file)):
                return descriptor
        except FileNotFoundError:
            pass
        except OSError:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _take(path: Path, option: str) -> int:
    """Return a descriptor of the lock file of ``path``, with the lock on it."""
    patience_until = time.monotonic() + _PATIENCE_S
    while True:
        try:
            return take_lock(lock_path(path), wait=False)
        except BlockingIOError:
            process = holder(path)
            if process is not None and time.monotonic() > patience_until:
                raise LockedError(path, process) from None
            time.sleep(_PATIENCE_S / 10)
        except OSError as error:
            if error.filename is None:
                problem, remedy = "its file system cannot lock files", f"choose another {option}"
            else:
                problem, remedy = "cannot be written", f"make it writable or choose another {option}"
            refusal = NoSpaceError if error.errno in (errno.ENOSPC, errno.EDQUOT) else CheckpointError
            raise refusal(f"{path.parent}: {problem} ({error.strerror}); {remedy}") from None


def holder(path: Path) -> str | None:
    """The process id that holds the lock of ``path``, or None when it is free."""
    try:
        descriptor = os.open(lock_path(path), _FLAGS | os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _holder(descriptor)
    except OSError:
        return None
    else:
        return None
    finally:
        os.close(descriptor)


def _holder(descriptor: int) -> str:
    text = os.pread(descriptor, 20, 0).decode("ascii", "replace")
    return text if text.isdigit() else "unknown"
