"""What is to be tested, on what, how often and at what risk: the part of a study that statistics need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Direction(StrEnum):
    """What a hypothesis claims of a difference."""

    GREATER = "greater"
    LESS = "less"
    DIFFERENT = "different"
    EQUIVALENT = "equivalent"
    """Within the margin on both sides, shown by two one-sided tests (TOST)."""


class Endpoint(StrEnum):
    """What is measured of every trial."""

    ESCAPE = "escape"
    """1 where the test accuracy of the LKG lies above the bar, else 0."""
    VALIDATION = "validation"
    """The best validation accuracy, on the images that selected it."""
    TEST = "test"
    """The LKG's test accuracy, which selected nothing."""
    GAIN = "gain"
    """The best validation accuracy less that of the first LKG."""
    HARM = "harm"
    """The share of ablations whose candidate was worse than the LKG; of a variant without any, of all meta-loops."""


class Spending(StrEnum):
    """How the risk of a false positive is spent over the looks."""

    OBRIEN_FLEMING = "obrien-fleming"
    """Almost all of it at the end (Lan and DeMets 1983)."""
    POCOCK = "pocock"
    """Evenly (Lan and DeMets 1983)."""


class Correction(StrEnum):
    """How the risk is kept over all hypotheses."""

    HOLM = "holm"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hypothesis:
    """A claim about two variants of a study."""

    treatment: str
    control: str
    direction: Direction
    endpoint: Endpoint
    margin: float = 0.0
    """A fraction: the difference is claimed to be beyond it, or, where they are equivalent, within it on both sides."""

    @property
    def contrast(self) -> str:
        """The variants, as in ``output - none``."""
        return f"{self.treatment} - {self.control}"

    @property
    def two_sided(self) -> bool:
        """Whether a difference on either side supports it."""
        return self.direction is Direction.DIFFERENT

    def __str__(self) -> str:
        """Return the claim in words."""
        words = f"{self.contrast}, {self.endpoint}: {self.direction}"
        return words if not self.margin else f"{words} (margin {100 * self.margin:g} points)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """How a study is to be analysed."""

    hypotheses: tuple[Hypothesis, ...]
    endpoints: tuple[Endpoint, ...]
    """The first is the one that hypotheses mean which name none."""
    escape_above: float | None
    """The bar of ``Endpoint.ESCAPE``, a fraction. None until the data is known: 15 points above its majority class."""
    looks: tuple[int, ...]
    """Trials of each network and variant at each planned look, ascending; the last has all."""
    alpha: float
    """Of all hypotheses together, where they are corrected."""
    spending: Spending
    correction: Correction
    pooled: bool
    """Whether a hypothesis is about all networks together, each a stratum, or about each alone."""

    def as_json(self) -> dict[str, Any]:
        """Return the fields as JSON-ready values."""
        values = asdict(self)
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Design:
        """Return the design of ``as_json``.

        Raises:
            KeyError, TypeError, ValueError: ``values`` is no design.
        """
        return cls(
            hypotheses=tuple(
                Hypothesis(
                    **one | {"direction": Direction(one["direction"]), "endpoint": Endpoint(one["endpoint"])},
                )
                for one in values["hypotheses"]
            ),
            endpoints=tuple(map(Endpoint, values["endpoints"])),
            escape_above=None if values["escape_above"] is None else float(values["escape_above"]),
            looks=tuple(map(int, values["looks"])),
            alpha=float(values["alpha"]),
            spending=Spending(values["spending"]),
            correction=Correction(values["correction"]),
            pooled=bool(values["pooled"]),
        )
