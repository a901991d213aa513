"""What a study is: its shapes, modes, trials and hyperparameters, and the seed of each trial."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any

from psa_tui.errors import ConfigError
from psa_tui.method.variants import AblationMode
from psa_tui.studies.grids import Shape, parse_shape

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class StudySpec:
    """A study. Two studies of one name are the same study exactly when their specs agree (``differences``)."""

    name: str
    shapes: tuple[Shape, ...]
    modes: tuple[AblationMode, ...]
    trials: int
    """Trials of each shape and mode; they count from 1."""
    meta_loops: int
    seed: int
    dataset: str
    dataset_fingerprint: str
    learning_rate: float = 1e-4
    batch_size: int = 256
    weight_decay: float = 1e-4
    dropout: float = 0.1
    quick: bool = False
    """Cut short on purpose: it must never be shown as a reproduction."""

    def as_settings(self) -> dict[str, Any]:
        """The spec as JSON-ready values."""
        values = asdict(self)
        return values | {"shapes": [str(shape) for shape in self.shapes], "modes": [str(mode) for mode in self.modes]}

    @classmethod
    def from_settings(cls, values: dict[str, Any]) -> StudySpec:
        """The inverse of ``as_settings``."""
        shapes = tuple(parse_shape(text) for text in values["shapes"])
        modes = tuple(AblationMode(mode) for mode in values["modes"])
        return cls(**{**values, "shapes": shapes, "modes": modes})

    def differences(self, other: StudySpec) -> list[str]:
        """What makes ``other`` another study under this name, in words; empty when it is the same."""
        mine, theirs = self.as_settings(), other.as_settings()
        return [
            f"{name.replace('_', ' ')} ({_brief(mine[name])}, not {_brief(theirs[name])})"
            for name in mine
            if mine[name] != theirs[name]
        ]


def trial_seed(study_seed: int, shape: Shape, trial: int) -> int:
    """The seed of trial ``trial`` of every mode of ``shape``: what ``psa train --seed`` takes, below 2**63.

    The modes of a trial share it, so they share the initialisation and the order of images (common random
    numbers). Derived by NumPy's ``SeedSequence``, whose output NumPy guarantees not to change.
    """
    import numpy as np

    sequence = np.random.SeedSequence(entropy=study_seed, spawn_key=(shape.depth, shape.width, trial))
    return int(sequence.generate_state(1, np.uint64)[0]) >> 1


def check_name(name: str) -> str:
    """``name`` itself, if it can name a study: it becomes the name of a folder.

    Raises:
        ConfigError: it cannot.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"--study {name[:80]!r}: expected letters, digits, dots, dashes and underscores, 64 at most, "
            "a letter or digit first"
        )
    return name


def _brief(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) if len(value) <= 6 else f"{len(value)}: {value[0]}, {value[1]}, ..."
    return str(value)
