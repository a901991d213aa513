"""Where a search is, as one value: a report makes the next one, and nothing else changes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

from psa_tui.method.ablation import AblatedUnit
from psa_tui.method.dead_units import DeadUnits
from psa_tui.method.events import EarlierLoops, MetaLoopFinished, Verdict
from psa_tui.method.progress import Progress
from psa_tui.search.model import Tensors

_MOST_LOOPS, _MOST_UNITS = 20_000, 50_000
"""Of a history, which has its newest loops: a file's header must not grow without end."""


@dataclass(frozen=True, slots=True)
class PastLoop:
    """What a search remembers of a loop that was reported."""

    meta_loop: int
    accuracy: float
    promoted: bool
    units: tuple[AblatedUnit, ...]
    train_loss: float | None
    gain: float | None


@dataclass(frozen=True, slots=True)
class SearchState:
    """Everything that a report changes."""

    progress: Progress
    lkg: Tensors
    """The Last Known Good parameters and buffers; those that the search began with, before a first promotion."""
    held: Tensors | None = None
    """Of a candidate that the promotion rule holds."""
    dead: DeadUnits = ()
    """The dead hidden units of the LKG."""
    past: tuple[PastLoop, ...] = ()


def with_loop(past: Sequence[PastLoop], event: MetaLoopFinished) -> tuple[PastLoop, ...]:
    """Return a history with one more loop; where it is full, the oldest ones leave it."""
    loop = PastLoop(
        meta_loop=event.meta_loop,
        accuracy=event.validation_accuracy,
        promoted=event.verdict is Verdict.PROMOTED,
        units=() if event.ablation is None else event.ablation.units,
        train_loss=event.train_loss if isfinite(event.train_loss) else None,
        gain=event.gain if event.finite else None,
    )
    kept = [*past, loop][-_MOST_LOOPS:]
    units = sum(len(one.units) for one in kept)
    first = 0
    while units > _MOST_UNITS and first < len(kept) - 1:
        units -= len(kept[first].units)
        first += 1
    return tuple(kept[first:])


def as_event(past: Sequence[PastLoop]) -> EarlierLoops:
    """Return a history as the event that views fold."""
    return EarlierLoops(
        meta_loops=tuple(one.meta_loop for one in past),
        validation_accuracies=tuple(one.accuracy for one in past),
        promoted=tuple(one.promoted for one in past),
        ablations=tuple(one.units for one in past),
        train_losses=tuple(one.train_loss for one in past),
        gains=tuple(one.gain for one in past),
    )


def from_event(event: EarlierLoops) -> tuple[PastLoop, ...]:
    """Return the history that ``as_event`` made an event of.

    Raises:
        ValueError: its columns are of different lengths.
    """
    columns = (event.meta_loops, event.validation_accuracies, event.promoted)
    more = (event.ablations, event.train_losses, event.gains)
    return tuple(PastLoop(*values) for values in zip(*columns, *more, strict=True))
