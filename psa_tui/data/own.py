"""Data of one's own: a file ``FILE.npz`` or a folder of images, named by its path in place of a data set's name.

Only a text that looks like a path is one, so a misspelt name never is. From then on the path is absolute: it is found
again from any folder. Tables and screens have the name, ``digits.npz`` or ``flowers.folder``, which no data set of the
registry has.
"""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from psa_tui.errors import ConfigError

if TYPE_CHECKING:
    from psa_tui.data.spec import DatasetSpec

ENDING = ".npz"
_OF_FOLDERS = ".folder"
_LONGEST_STEM = 48


def looks_like_path(text: str) -> bool:
    """Return whether what a person typed is a path: it ends in .npz, has a slash, or begins with ``~`` or ``.``."""
    return text.endswith(ENDING) or text.startswith((".", "~")) or "/" in text or os.sep in text


def is_own(dataset: str) -> bool:
    """Return whether ``dataset`` is the absolute path of data of one's own, and not a name."""
    return os.path.isabs(dataset)


def own_path(text: str) -> str:
    """Return the absolute path that a person means by ``text``.

    Raises:
        ConfigError: it cannot be shown, or stored as text.
    """
    path = os.path.abspath(Path(text).expanduser())
    if not path.isprintable():
        raise ConfigError("expected a path without control characters; rename the file or folder")
    return path


def own_name(path: str) -> str:
    """Return what data at ``path`` is called: letters, digits, dots, dashes and underscores."""
    ending = ENDING if path.endswith(ENDING) else _OF_FOLDERS
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(path).name.removesuffix(ENDING))
    return (stem[:_LONGEST_STEM].strip("-.") or "data") + ending


def name_and_path(source: str) -> tuple[str, str | None]:
    """Return what the data set ``source``, a name or a path, is called, and its path if it is one."""
    return (own_name(source), source) if is_own(source) else (source, None)


def own_spec(path: str) -> DatasetSpec:
    """Return what the headers of the file at ``path`` say, or the listing of the folder; images are not read.

    Raises:
        ConfigError: nothing is there.
        DataError: it is damaged, or no data that can be trained on.
    """
    stamps = _stamps(Path(path))
    if not stamps:
        raise ConfigError(
            f"{path}: there is no such file or folder; put it back, or name its place (--dataset, or dataset in a "
            "study file)"
        )
    return _spec(path, stamps)


@cache
def _spec(path: str, stamps: tuple[int, ...]) -> DatasetSpec:
    """Return the spec of what lies at ``path`` while it has ``stamps``: commands ask several times."""
    if path.endswith(ENDING):
        from psa_tui.data.npz import npz_spec

        return npz_spec(Path(path), own_name(path))
    from psa_tui.data.folder import folder_spec

    return folder_spec(Path(path), own_name(path))


def _stamps(path: Path) -> tuple[int, ...]:
    """Return what changes when the file does, or a folder's listing: sizes and times; nothing where there is nothing.

    Of a folder, those of the folders in it too, and of the folders in its parts.
    """
    try:
        found = path.stat()
        stamps: tuple[int, ...] = (found.st_size, found.st_mtime_ns, found.st_ino)
        if path.is_dir():
            inner = (*path.glob("*/"), *path.glob("[tv]*/*/"))
            stamps += tuple(sorted(one.stat().st_mtime_ns for one in inner))
    except OSError:
        return ()
    return stamps
