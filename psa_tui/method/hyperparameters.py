"""THE record of what a trial trains with. A field added here appears everywhere else by itself.

Options of commands, ``PSA_*`` variables, keys of psa.toml, ``psa config``, checkpoint headers, columns of the results
database, events, JSON, studies and SageMaker requests are all made from ``HYPERPARAMETERS``; none of them lists the
fields again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from psa_tui.errors import ConfigError


def _declared(default: float, option: str, help: str, metavar: str, most: float, **limits: float) -> Any:
    metadata = {"option": option, "help": help, "metavar": metavar, "most": most, **limits}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hyperparameters:
    """What a trial trains with; two trials that agree in it, in network, variant, data and seed are one."""

    learning_rate: float = _declared(1e-4, "lr", "AdamW learning rate.", "RATE", above=0, most=10)
    batch_size: int = _declared(256, "batch_size", "Images a training step.", "N", least=1, most=1_000_000)
    weight_decay: float = _declared(1e-4, "weight_decay", "AdamW weight decay of mode decay.", "RATE", least=0, most=1)
    dropout: float = _declared(0.1, "dropout", "Dropout rate of mode dropout.", "RATE", least=0, most=1)

    def as_json(self) -> dict[str, Any]:
        """Return the values by field name."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Hyperparameters:
        """Take the values of all fields from ``values``, which may hold others; one that lacks takes its default.

        Raises:
            TypeError: a value is no number.
            ValueError: a value is out of its range.
        """
        found: dict[str, Any] = {
            spec.name: spec.checked(values[spec.name]) for spec in HYPERPARAMETERS if spec.name in values
        }
        return cls(**found)


@dataclass(frozen=True, slots=True, kw_only=True)
class HyperparameterSpec:
    """One field of ``Hyperparameters`` as options, columns and messages see it."""

    name: str
    """The field, the column, the key in JSON and headers."""
    option: str
    """``--option``, ``PSA_OPTION`` and the key of psa.toml, with underscores."""
    kind: type
    """``int`` or ``float``."""
    default: float
    help: str
    metavar: str
    least: float | None
    above: float | None
    most: float
    """A whole number may be it; a rate of at most 1 must be below it."""

    @property
    def sql_type(self) -> str:
        """The type of its column."""
        return "INTEGER" if self.kind is int else "REAL"

    @property
    def expected(self) -> str:
        """Its range in words."""
        if self.kind is int:
            return f"a whole number from {self.least:g} to {int(self.most)}"
        if self.above is not None:
            return f"a number above {self.above:g}, at most {self.most:g}"
        return f"a number from {self.least:g} to below {self.most:g}"

    def parse(self, text: str) -> float:
        """Read a value that a person wrote.

        Raises:
            ConfigError: it is no number, or out of the range.
        """
        try:
            value = self.kind(text) if text.isascii() and "_" not in text else math.nan
        except ValueError:
            value = math.nan
        if not self._accepts(value):
            raise ConfigError(f"expected {self.expected}")
        return value

    def format(self, value: float) -> str:
        """Return ``value`` as text that ``parse`` reads back to the bit."""
        return repr(value)

    def checked(self, value: object) -> float:
        """Return a value that a file holds.

        Raises:
            TypeError: it is no number.
            ValueError: it is out of the range.
        """
        if isinstance(value, bool) or not isinstance(value, int | float) or not isinstance(value, self.kind | int):
            raise TypeError(f"{self.name} is {value!r}")
        if not self._accepts(value):
            raise ValueError(f"{self.name} is {value!r}, expected {self.expected}")
        return value

    def _accepts(self, value: float) -> bool:
        if not math.isfinite(value):
            return False
        if self.above is not None:
            return self.above < value <= self.most
        assert self.least is not None
        return self.least <= value and (value <= self.most if self.kind is int else value < self.most)


HYPERPARAMETERS: tuple[HyperparameterSpec, ...] = tuple(
    HyperparameterSpec(
        name=one.name,
        option=one.metadata["option"],
        kind=type(one.default),
        default=getattr(Hyperparameters(), one.name),
        help=one.metadata["help"],
        metavar=one.metadata["metavar"],
        least=one.metadata.get("least"),
        above=one.metadata.get("above"),
        most=one.metadata["most"],
    )
    for one in fields(Hyperparameters)
)
"""Every field, in order."""
