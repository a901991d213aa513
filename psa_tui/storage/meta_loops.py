"""A meta-loop as the results database has it: one set of columns for the loops of runs and of studies' trials."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any

from psa_tui.method.ablation import AblatedUnit
from psa_tui.method.events import MetaLoopFinished

COLUMNS = """
    meta_loop INTEGER NOT NULL,
    mode TEXT NOT NULL,
    ablations TEXT,                   -- JSON: [[layer, unit, incoming, outgoing], ...], layer 0 is the first hidden one
    train_loss REAL,                  -- mean over the epoch; NULL when it was not finite
    validation_correct INTEGER NOT NULL,
    validation_count INTEGER NOT NULL,
    finite INTEGER NOT NULL,          -- 0 when the loss or a weight was not finite
    verdict TEXT NOT NULL,            -- promoted or rolled_back
    reason TEXT NOT NULL,             -- why the promotion rule decided so
    -- NULL when unknown:
    seconds REAL
"""
"""The columns as SQL declares them; the fields of ``MetaLoopRow`` in order."""
_ZERO = "zero"


@dataclass(frozen=True, slots=True, kw_only=True)
class MetaLoopRow:
    """One finished meta-loop; the fields are the columns."""

    meta_loop: int
    mode: str
    ablations: tuple[AblatedUnit, ...]
    train_loss: float | None
    validation_correct: int
    validation_count: int
    finite: bool
    verdict: str
    reason: str
    seconds: float | None

    @classmethod
    def of(cls, event: MetaLoopFinished) -> MetaLoopRow:
        """Return the row of a finished meta-loop."""
        return cls(
            meta_loop=event.meta_loop,
            mode=event.mode,
            ablations=() if event.ablation is None else event.ablation.units,
            train_loss=event.train_loss if isfinite(event.train_loss) else None,
            validation_correct=event.validation_correct,
            validation_count=event.progress.validation_count,
            finite=event.finite,
            verdict=str(event.verdict),
            reason=event.reason,
            seconds=event.seconds,
        )

    @classmethod
    def from_columns(cls, values: Mapping[str, Any]) -> MetaLoopRow:
        """Return the row that the columns ``values`` hold."""
        fields = {name: values[name] for name in NAMES}
        decoded = decode_ablations(fields["ablations"])
        return cls(**fields | {"ablations": decoded, "finite": bool(fields["finite"])})

    @property
    def validation_accuracy(self) -> float:
        """Of the candidate, a fraction."""
        return self.validation_correct / self.validation_count

    def as_json(self) -> dict[str, Any]:
        """Return the fields by name, and beside the list of ablated units the only one where there is one."""
        only = self.ablations[0] if len(self.ablations) == 1 else None
        hit = {"ablated_layer": only and only.layer, "ablated_neuron": only and only.unit}
        return asdict(self) | hit

    def values(self) -> tuple[Any, ...]:
        """Return what SQL stores, in the order of the columns."""
        return (
            self.meta_loop,
            self.mode,
            encode_ablations(self.ablations),
            self.train_loss,
            self.validation_correct,
            self.validation_count,
            self.finite,
            self.verdict,
            self.reason,
            self.seconds,
        )


NAMES: tuple[str, ...] = tuple(MetaLoopRow.__dataclass_fields__)


def encode_ablations(units: Sequence[AblatedUnit]) -> str | None:
    """Return ablated units as JSON text, ``[[0,12,784,10]]``; None where nothing was ablated."""
    if not units:
        return None
    rows = [
        [unit.layer, unit.unit, unit.incoming, unit.outgoing, *([] if unit.effect == _ZERO else [unit.effect])]
        for unit in units
    ]
    return json.dumps(rows, separators=(",", ":"))


def decode_ablations(text: str | None) -> tuple[AblatedUnit, ...]:
    """Return the units of ``encode_ablations``."""
    if text is None:
        return ()
    return tuple(
        AblatedUnit(
            layer=layer, unit=unit, incoming=incoming, outgoing=outgoing, effect=str(effect[0]) if effect else _ZERO
        )
        for layer, unit, incoming, outgoing, *effect in json.loads(text)
    )
