"""Parts: what a worker takes on at a time. A cell (one shape, all modes, all trials) is one part, or several.

How a cell is divided depends on the study alone, never on the workers: so the arithmetic of a trial, which
in the last bits depends on its companions in a population, is the same wherever and whenever it is done.
"""

from __future__ import annotations

from dataclasses import dataclass

from psa_tui.studies.grids import Shape
from psa_tui.studies.spec import StudySpec

_LOOP_OPERATIONS = 1.5e12
"""At most so many in one meta-loop of a part: some 15 s on one core, so that little is lost with a worker."""
_TRAIN_IMAGES = 50_000
_VALIDATION_IMAGES = 10_000


@dataclass(frozen=True, slots=True)
class Part:
    """Trials ``trials`` (from 1, ascending) of every mode at ``shape``: a population of trials x modes members.

    The members are ordered by trial, then by mode.
    """

    shape: Shape
    trials: tuple[int, ...]

    @property
    def file_name(self) -> str:
        """The file its state is kept in while it is under way."""
        return f"{self.shape.file_stem}-{self.trials[0]}-{self.trials[-1]}.safetensors"

    def __str__(self) -> str:
        """As people read it: ``18*18, trials 1 to 10``."""
        first, last = self.trials[0], self.trials[-1]
        return f"{self.shape}, trial {first}" if first == last else f"{self.shape}, trials {first} to {last}"


def parts_of(spec: StudySpec, shape: Shape) -> list[Part]:
    """The parts of one cell, all of about one size."""
    operations = shape.architecture.meta_loop_operations(_TRAIN_IMAGES, _VALIDATION_IMAGES) * len(spec.modes)
    most = max(1, int(_LOOP_OPERATIONS / operations))
    count = -(-spec.trials // most)
    size = -(-spec.trials // count)
    numbers = range(1, spec.trials + 1)
    return [Part(shape, tuple(numbers[start : start + size])) for start in range(0, spec.trials, size)]
