"""A run as the results database has it."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from operator import index
from typing import Any

from psa_tui.method.hyperparameters import Hyperparameters
from psa_tui.outside import outside_json
from psa_tui.storage.database import checked_row
from psa_tui.storage.header import MOST_DIMENSIONS, MOST_INPUTS
from psa_tui.storage.labels import decode_tags


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """A run as the database has it; the fields are the columns of ``runs``."""

    run: str
    created_at: str
    updated_at: str
    state: str
    reason: str
    checkpoint: str
    network: str
    architecture: str
    parameters: int
    mode: str
    seed: int
    dataset: str
    dataset_requested: str
    dataset_fingerprint: str
    train_count: int | None
    validation_count: int | None
    test_count: int | None
    majority_class_accuracy: float | None
    hyperparameters: Hyperparameters
    meta_loop: int
    last_meta_loop: int
    bounty: float | None
    bounty_meta_loop: int
    lkg_accuracy: float | None
    lkg_meta_loop: int
    test_accuracy: float | None
    lkg_dead: int | None
    lkg_inactive: int | None
    name: str | None = None
    tags: tuple[str, ...] = ()
    note: str | None = None
    input_shape: tuple[int, ...] = ()
    """Empty when unknown."""
    classes: int | None = None
    initialisation_seed: int | None = None
    """Of the first weights, where it is another than ``seed``."""

    def as_json(self) -> dict[str, Any]:
        """Return the columns by name."""
        values = asdict(self)
        hyperparameters: dict[str, Any] = values.pop("hyperparameters")
        return values | hyperparameters


def decode_run(values: dict[str, Any]) -> RunRow:
    """Return the row of the columns ``values``.

    Raises:
        TypeError, ValueError: they make no sense.
    """
    own = {name: values[name] for name in RunRow.__dataclass_fields__ if name != "hyperparameters"}
    own |= {"hyperparameters": Hyperparameters.from_json(values), "tags": decode_tags(values["tags"])}
    own["input_shape"] = _decode_shape(values["input_shape"])
    return checked_row(RunRow, own)


def _decode_shape(text: str | None) -> tuple[int, ...]:
    if text is None:
        return ()
    shape = tuple(map(index, outside_json(text)))
    if len(shape) > MOST_DIMENSIONS or min(shape, default=1) < 1 or math.prod(shape) > MOST_INPUTS:
        raise ValueError(f"input_shape is {text[:40]!r}")
    return shape
