"""Parts: what a worker takes on at a time. A group (one network, all variants, all trials) is one part, or several.

How a group is divided depends on the study alone, never on the workers: so the arithmetic of a trial, which
in the last bits depends on its companions in a population, is the same wherever and whenever it is done.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from psa_tui.method.variants import Variant
from psa_tui.networks import Network
from psa_tui.studies.grids import file_stem
from psa_tui.studies.spec import StudySpec

_MOST_OPERATIONS = 1.5e8
"""At most so many for five training images and one validation image of all members: with 50,000 and 10,000 images
some 15 s a meta-loop on one core, so that little is lost with a worker. It depends on no data set's size."""


@dataclass(frozen=True, slots=True)
class Part:
    """Trials ``trials`` (from 1, ascending) of every variant of ``network``: a population of trials x variants."""

    network: Network
    trials: tuple[int, ...]

    @property
    def file_name(self) -> str:
        """The file its state is kept in while it is under way."""
        return f"{file_stem(self.network)}-{self.trials[0]}-{self.trials[-1]}.safetensors"

    def members(self, spec: StudySpec) -> Iterator[tuple[int, Variant]]:
        """Go through the members of its population: trial by trial, in each variant by variant."""
        for trial in self.trials:
            for variant in spec.variants:
                yield trial, variant

    def __str__(self) -> str:
        """Return it as people read it: ``18*18, trials 1 to 10``."""
        first, last = self.trials[0], self.trials[-1]
        return f"{self.network.short_name}, trial{f' {first}' if first == last else f's {first} to {last}'}"


def parts_of(spec: StudySpec, network: Network) -> list[Part]:
    """Return the parts of one group; those of trials that were begun together are of about one size."""
    operations = network.meta_loop_operations(train_count=5, validation_count=1) * len(spec.variants)
    most = max(1, int(_MOST_OPERATIONS / operations))
    parts = []
    # Trials that were added are parts of their own: those that were there keep their companions.
    for before, after in pairwise((0, *spec.earlier, spec.trials)):
        count = -(-(after - before) // most)
        size = -(-(after - before) // count)
        numbers = range(before + 1, after + 1)
        parts += [Part(network, tuple(numbers[start : start + size])) for start in range(0, len(numbers), size)]
    return parts
