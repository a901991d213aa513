"""Saying in one line what is wrong with a safetensors file that is read."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import safetensors

from psa_tui.errors import CheckpointError, ConfigError, NoCheckpointError
from psa_tui.formatting import printable

_TELLING = (safetensors.SafetensorError, ConfigError, KeyError, TypeError, ValueError)
"""Errors whose text says something to a user."""


@contextmanager
def read_errors(path: Path, what: str, *, if_missing: str, remedy: str = "") -> Iterator[None]:
    """Say in one line what is wrong with ``path``, which the block reads as ``what``, "a checkpoint".

    ``if_missing`` says all of a missing file, and ``remedy`` what to do about what is there and no good one.

    Raises:
        CheckpointError: whatever the block finds wrong, or its libraries do.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise CheckpointError(f"{path}: not a file{remedy}")
        with damage_errors(path, what, remedy):
            yield
    except FileNotFoundError:
        raise NoCheckpointError(f"{path}: {if_missing}") from None
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror or error})") from None


@contextmanager
def damage_errors(source: object, what: str, remedy: str = "") -> Iterator[None]:
    """Say in one line what is wrong with the content of ``source``, which the block reads as ``what``, "a checkpoint".

    ``remedy`` is added to it.

    Raises:
        CheckpointError: whatever the block finds wrong, or its libraries do, but for errors of the system.
    """
    try:
        yield
    except (CheckpointError, OSError):
        raise
    except Exception as error:
        # Whatever its bytes do to a library, there is one line to say of it, and other files are still to be read.
        text = " ".join(str(error).split()) if isinstance(error, _TELLING) else type(error).__name__
        raise CheckpointError(f"{source}: damaged or not {what} ({printable(text)[:160]}){remedy}") from None
