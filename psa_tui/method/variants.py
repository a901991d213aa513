"""The six modes of the study: what a trial does to its candidate, or to its training."""

from enum import StrEnum


class AblationMode(StrEnum):
    """What differs from a plain meta-loop; the three baselines come first, then the three ablative modes."""

    NONE = "none"
    DECAY = "decay"
    DROPOUT = "dropout"
    FULL = "full"
    HIDDEN = "hidden"
    OUTPUT = "output"

    @property
    def ablates(self) -> bool:
        """Whether one random neuron of the candidate is zeroed before it is trained."""
        return self in (AblationMode.FULL, AblationMode.HIDDEN, AblationMode.OUTPUT)
