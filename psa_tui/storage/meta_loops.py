"""A meta-loop as the results database has it: one set of columns for the loops of runs and of studies' trials."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from math import isfinite
from operator import index
from typing import Any

from psa_tui.method.ablation import AblatedUnit
from psa_tui.method.dead_units import DeadUnits
from psa_tui.method.events import MetaLoopFinished, Verdict
from psa_tui.outside import outside_json

COLUMNS = """
    meta_loop INTEGER NOT NULL,
    mode TEXT NOT NULL,
    -- JSON: [[layer, unit, incoming, outgoing, effect, dead], ...], layer 0 is the first hidden one; dead is left out
    -- where it is 0, and the effect too where it is zero:
    ablations TEXT,
    train_loss REAL,                  -- mean over the epoch; NULL when it was not finite
    validation_correct INTEGER NOT NULL,
    validation_count INTEGER NOT NULL,
    finite INTEGER NOT NULL,          -- 0 when the loss or a weight was not finite
    verdict TEXT NOT NULL,            -- promoted or rolled_back
    reason TEXT NOT NULL,             -- why the promotion rule decided so
    -- NULL when unknown:
    seconds REAL,
    lkg_correct INTEGER,              -- validation images that the LKG classifies correctly after this loop
    -- the loop that made it:
    lkg_meta_loop INTEGER,
    lkg_dead INTEGER,                 -- its hidden units whose incoming weights and bias are all zero
    lkg_inactive INTEGER,             -- its hidden units that no validation image activates
    -- JSON: [[layer, unit], ...], its dead hidden units, where this loop made it:
    dead_units TEXT,
    -- of the half of the validation images that decided; NULL where all of them did:
    promoting_correct INTEGER,
    -- of the training images as the epoch saw them, a fraction; NULL when unknown:
    train_accuracy REAL
"""
"""The columns as SQL declares them; the fields of ``MetaLoopRow`` in order."""
_ZERO = "zero"
_VERDICTS = frozenset(map(str, Verdict))


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
    lkg_correct: int | None = None
    lkg_meta_loop: int | None = None
    lkg_dead: int | None = None
    lkg_inactive: int | None = None
    dead_units: DeadUnits | None = None
    promoting_correct: int | None = None
    train_accuracy: float | None = None

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
            lkg_correct=event.progress.lkg_correct,
            lkg_meta_loop=event.progress.lkg_meta_loop,
            lkg_dead=event.progress.lkg_dead,
            lkg_inactive=event.progress.lkg_inactive,
            dead_units=event.dead_units,
            promoting_correct=event.promoting_correct,
            train_accuracy=event.train_accuracy,
        )

    @classmethod
    def from_columns(cls, values: Sequence[Any]) -> MetaLoopRow:
        """Return the row of what the columns hold, in order.

        Raises:
            TypeError, ValueError: it is no row that this program writes.
        """
        fields = dict(zip(NAMES, values, strict=True))
        fields["ablations"] = decode_ablations(fields["ablations"])
        fields["dead_units"] = _decode_dead(fields["dead_units"])
        for name in ("lkg_dead", "lkg_inactive", "promoting_correct"):
            fields[name] = None if fields[name] is None else index(fields[name])
        fields["finite"] = bool(fields["finite"])
        if not 0 <= fields["validation_correct"] <= fields["validation_count"] or not fields["validation_count"]:
            raise ValueError(f"meta-loop {fields['meta_loop']}: no count of images")
        if fields["train_accuracy"] is not None and not 0 <= fields["train_accuracy"] <= 1:
            raise ValueError(f"meta-loop {fields['meta_loop']}: training accuracy {fields['train_accuracy']}")
        if fields["verdict"] not in _VERDICTS:
            raise ValueError(f"meta-loop {fields['meta_loop']}: verdict {fields['verdict']!r}")
        return cls(**fields)

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
            self.lkg_correct,
            self.lkg_meta_loop,
            self.lkg_dead,
            self.lkg_inactive,
            None if self.dead_units is None else json.dumps(self.dead_units, separators=(",", ":")),
            self.promoting_correct,
            self.train_accuracy,
        )


NAMES: tuple[str, ...] = tuple(MetaLoopRow.__dataclass_fields__)


def encode_ablations(units: Sequence[AblatedUnit]) -> str | None:
    """Return ablated units as JSON text, ``[[0,12,784,10]]``; None where nothing was ablated."""
    if not units:
        return None
    rows = [[unit.layer, unit.unit, unit.incoming, unit.outgoing, *_departures(unit)] for unit in units]
    return json.dumps(rows, separators=(",", ":"))


def _departures(unit: AblatedUnit) -> list[Any]:
    if unit.dead:
        return [unit.effect, 1]
    return [] if unit.effect == _ZERO else [unit.effect]


@lru_cache(maxsize=16_384)
def decode_ablations(text: str | None) -> tuple[AblatedUnit, ...]:
    """Return the units of ``encode_ablations``; many loops share few different texts.

    Raises:
        TypeError, ValueError: it is none of its texts.
    """
    if text is None:
        return ()
    return tuple(
        AblatedUnit(
            layer=index(layer),
            unit=index(unit),
            incoming=index(incoming),
            outgoing=index(outgoing),
            effect=str(rest[0]) if rest else _ZERO,
            dead=bool(index(rest[1])) if len(rest) > 1 else False,
        )
        for layer, unit, incoming, outgoing, *rest in outside_json(text)
    )


def _decode_dead(text: str | None) -> DeadUnits | None:
    if text is None:
        return None
    return tuple((index(layer), index(unit)) for layer, unit in outside_json(text))
