"""Where checkpoints lie, as a history has it: relative to the folder that its own is in, unless they are elsewhere.

So a folder that is moved, or copied, goes on with its own checkpoints, and never with those of the original.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any


def stored_place(checkpoint: Path, history: Path) -> str:
    """Return what the database file ``history`` keeps of ``checkpoint``: absolute where it lies somewhere else."""
    place, home = checkpoint.absolute(), _home(history)
    for one, other in ((place, home), (place.resolve(), home.resolve())):
        if one.is_relative_to(other):
            return str(one.relative_to(other))
    return str(place)


def actual_place(stored: str, history: Path) -> str:
    """Return the absolute path of what ``stored_place`` returned."""
    return str(_home(history) / stored)


def converted_place(stored: Any, history: Path) -> Any:
    """Return what ``stored_place`` would, of a path that is absolute because it was stored by formats before 10.

    It may be of a folder that ``history`` was copied from, which has a history in the same place, or was moved from:
    then nothing is there any more, and what lies here as it lay there is meant.
    """
    if not isinstance(stored, str):
        return stored
    place, home = Path(stored), _home(history)
    inside = history.absolute().relative_to(home)
    for folder in place.parents:
        if (folder / inside).exists():
            return str(place.relative_to(folder))
    if not place.exists():
        for folder in place.parents:
            if (home / place.relative_to(folder)).exists():
                return str(place.relative_to(folder))
    return stored


def _home(history: Path) -> Path:
    return history.absolute().parent.parent
