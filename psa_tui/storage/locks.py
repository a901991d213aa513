"""One trainer per LKG file: an advisory lock that dies with its process.

``flock`` belongs to the open file, so the kernel releases it however the holder ends; what is left in the
folder is an empty promise and no obstacle. The file holds the holder's process id, for the message only.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from psa_tui.errors import CheckpointError

_PATIENCE_S = 0.2
"""How long a lock may be held by somebody who only asks who holds it (``holder``)."""
_FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


def lock_path(path: Path) -> Path:
    """The lock file that guards ``path``."""
    return path.with_name(f".{path.name}.lock")


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of ``path`` while the block runs.

    Raises:
        CheckpointError: another process holds it (the message names its process id), or the folder
            cannot be written.
    """
    descriptor = _take(path)
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _take(path: Path) -> int:
    """A descriptor of the lock file, with the lock on it."""
    patience_until = time.monotonic() + _PATIENCE_S
    while True:
        try:
            descriptor = os.open(lock_path(path), _FLAGS | os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise CheckpointError(
                f"{path.parent}: cannot be written ({error.strerror}); make it writable or choose another --model-dir"
            ) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Somebody may have removed the file (psa clean does) after it was opened and before it was locked.
            if os.path.samestat(os.fstat(descriptor), os.stat(lock_path(path))):
                return descriptor
        except FileNotFoundError:
            pass
        except BlockingIOError:
            if time.monotonic() > patience_until:
                process = _holder(descriptor)
                os.close(descriptor)
                raise CheckpointError(
                    f"{path} is being trained by process {process}; wait for it, stop it, or choose another --model-dir"
                ) from None
            time.sleep(_PATIENCE_S / 10)
        except OSError as error:
            os.close(descriptor)
            raise CheckpointError(
                f"{path.parent}: its file system cannot lock files ({error.strerror}); choose another --model-dir"
            ) from None
        os.close(descriptor)


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
    else:
        return None
    finally:
        os.close(descriptor)


def _holder(descriptor: int) -> str:
    text = os.pread(descriptor, 20, 0).decode("ascii", "replace")
    return text if text.isdigit() else "unknown"
