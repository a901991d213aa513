"""Which file in a models folder is a run's checkpoint."""

from __future__ import annotations

import re
from pathlib import Path

from psa_tui.errors import CheckpointError, ConfigError
from psa_tui.formatting import did_you_mean, printable
from psa_tui.outside import is_plain_name
from psa_tui.storage.checkpoint import previous_path

DEFAULT_NAME = "mnist_lkg.safetensors"
"""The first system's name, for fully connected networks on images like MNIST's."""
_ENDING = "_lkg.safetensors"
_MOST_NAMES = 5
_DEFAULT_FAMILY, _DEFAULT_SHAPE = "mlp", (1, 28, 28)


def checkpoint_name(family: str, dataset: str, input_shape: tuple[int, ...]) -> str:
    """Return the file's name: the first system's where it could have trained the same, else one of its own."""
    if family == _DEFAULT_FAMILY:
        return DEFAULT_NAME if input_shape == _DEFAULT_SHAPE else f"{dataset}{_ENDING}"
    # The name of a user's own code has a colon.
    return f"{dataset}_{re.sub('[^A-Za-z0-9._-]+', '-', family)}{_ENDING}"


def named_folders(models: Path) -> list[str]:
    """Return the names in ``models`` that are those of runs: of real folders, which no link stands for."""
    try:
        found = list(models.iterdir())
    except OSError:
        return []
    return [one.name for one in found if is_plain_name(one.name) and one.is_dir() and not one.is_symlink()]


def file_names(models: Path) -> list[str]:
    """Return the names of the files in ``models`` that ``psa clean`` takes away by their names."""
    try:
        return sorted(one.name for one in models.iterdir() if one.is_file() and not one.name.startswith("."))
    except OSError:
        return []


def checkpoint_paths(models: Path) -> list[str]:
    """Return the paths by which the checkpoints in ``models`` are called: the folder of a run, or else the file."""
    folders = [models / name for name in _runs_in(models)]
    return [str(path) for path in (*folders, *sorted(models.glob(f"*{_ENDING}"))) if not path.name.startswith(".")]


def expect_checkpoint(path: Path, models: Path, name: str | None) -> None:
    """Name the runs in ``models`` where nothing is at ``path``, the checkpoint of the run ``name`` or of that without.

    Raises:
        ConfigError: there is no such checkpoint, but there are runs with names.
    """
    if path.exists() or previous_path(path).exists():
        return
    named = _runs_in(models)
    if named:
        more = ", ..." if len(named) > _MOST_NAMES else ""
        raise ConfigError(
            f"{path}: there is no such checkpoint; runs with names are {', '.join(named[:_MOST_NAMES])}{more} "
            f"(psa resume --name {named[0]}){did_you_mean(name or '', named)}"
        )


def find_checkpoint(folder: Path) -> Path:
    """Return the checkpoint of ``folder`` that is meant where nobody says which; it need not be there.

    Raises:
        CheckpointError: the first system's is not there, and there are several others.
    """
    default = folder / DEFAULT_NAME
    if default.exists() or previous_path(default).exists():
        return default
    found = sorted(path for path in folder.glob(f"*{_ENDING}") if not path.name.startswith("."))
    if len(found) > 1:
        names = ", ".join(printable(path.name) for path in found[:5])
        raise CheckpointError(f"{folder}: which one? there are {names}; keep each in a --model-dir of its own")
    return found[0] if found else default


def _runs_in(models: Path) -> list[str]:
    return [one for one in sorted(named_folders(models)) if any((models / one).glob(f"*{_ENDING}"))]
