"""A run as it can be shown: events folded into plain values. No drawing, no clock of its own."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isfinite, nan
from statistics import median

from psa_tui.method.ablation import AblatedUnit
from psa_tui.method.event_codec import event
from psa_tui.method.events import (
    ControlChanged,
    DeviceMemoryMeasured,
    EarlierLoops,
    EpochProgressed,
    Event,
    MetaLoopFinished,
    RunFinished,
    RunStarted,
    SettingChange,
    UnitsAblated,
    Verdict,
)
from psa_tui.method.layer_names import LayerNames
from psa_tui.method.progress import Progress
from psa_tui.runs.ablation_statistics import AblationStatistics
from psa_tui.views.resources import ResourceHistory

_REMEMBERED_LOOPS = 500
_REMEMBERED_EARLIER = 200
"""Loops of earlier sessions in the log."""
_REMEMBERED_MESSAGES = 50
_TIMED_LOOPS = 15


@event("earlier_curve")
@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierCurve:
    """What a screen shows of ``EarlierLoops``: a tenth of its size, for the way to the drawing process."""

    meta_loops: tuple[int, ...]
    validation_accuracies: tuple[float, ...]
    promoted: tuple[bool, ...]
    hits: tuple[tuple[float, ...], ...]
    """What ablations did, as ``AblationStatistics.as_rows`` tells it."""
    dead_units: tuple[tuple[int, int], ...] | None = None
    train_losses: tuple[float | None, ...] = ()
    """None where it was not finite."""
    train_accuracies: tuple[float | None, ...] = ()
    """None where they were not counted."""
    units: tuple[tuple[int, int, int], ...] = ()
    """Of each loop: layer and index of the first unit that was ablated, and how many were; ``NO_UNIT`` where none."""
    last_ablations: tuple[tuple[AblatedUnit, ...], ...] = ()
    """All units that were ablated in each of the last loops, for the log."""
    last_gains: tuple[float | None, ...] = ()
    """What each of these gained over its LKG; None where that is not known."""


NO_UNIT = (-1, -1, 0)
_LOSS_DIGITS = 5


def first_unit(units: Sequence[AblatedUnit]) -> tuple[int, int, int]:
    """Return layer and index of the first of ``units``, and how many they are; ``NO_UNIT`` where there are none."""
    return (units[0].layer, units[0].unit, len(units)) if units else NO_UNIT


def curve_of(event: EarlierLoops) -> EarlierCurve:
    """Return what a screen shows of earlier loops."""
    hits = AblationStatistics()
    hits.fold_earlier(event)
    return EarlierCurve(
        meta_loops=event.meta_loops,
        validation_accuracies=event.validation_accuracies,
        promoted=event.promoted,
        hits=hits.as_rows(),
        dead_units=event.dead_units,
        train_losses=tuple(None if loss is None else round(loss, _LOSS_DIGITS) for loss in event.train_losses),
        train_accuracies=event.train_accuracies,
        units=tuple(first_unit(units) for units in event.ablations),
        last_ablations=event.ablations[-_REMEMBERED_EARLIER:],
        last_gains=(event.gains or (None,) * len(event.meta_loops))[-_REMEMBERED_EARLIER:],
    )


@dataclass(slots=True)
class RunState:
    """Everything a screen shows of a run; times are seconds on the clock that ``fold`` is given."""

    started: RunStarted | None = None
    started_at: float = 0.0
    mode: str = ""
    """The name of the variant in force."""
    progress: Progress | None = None
    epoch: EpochProgressed | None = None
    ablation: UnitsAblated | None = None
    """What was done to the candidate under way."""
    meta_loops: array[int] = field(default_factory=lambda: array("q"))
    accuracies: array[float] = field(default_factory=lambda: array("d"))
    promoted: array[int] = field(default_factory=lambda: array("b"))
    """0 or 1. Arrays, because a run may have millions of loops."""
    train_losses: array[float] = field(default_factory=lambda: array("d"))
    """NaN where it was not finite."""
    train_accuracies: array[float] = field(default_factory=lambda: array("d"))
    """NaN where it was not counted."""
    units: array[int] = field(default_factory=lambda: array("i"))
    """Three numbers a loop, those of ``first_unit``."""
    changes: list[SettingChange] = field(default_factory=list)
    """Settings that the run went on with other values of, in order."""
    hits: AblationStatistics = field(default_factory=AblationStatistics)
    """What ablations did."""
    dead_units: frozenset[tuple[int, int]] = frozenset()
    """Layer and unit of the LKG's dead hidden units, as far as they are known."""
    recent: deque[MetaLoopFinished] = field(default_factory=lambda: deque(maxlen=_REMEMBERED_LOOPS))
    """The loops of this session and the last ones before it, newest first."""
    messages: deque[str] = field(default_factory=lambda: deque(maxlen=_REMEMBERED_MESSAGES))
    """Log lines and notices, newest first."""
    resources: ResourceHistory = field(default_factory=ResourceHistory)
    """Empty where they are not known: the run is another process's."""
    device_memory: DeviceMemoryMeasured | None = None
    """None where the run is on no accelerator, and where it is another process's."""
    control: ControlChanged | None = None
    finished: RunFinished | None = None
    finished_at: float = 0.0
    loop_started_at: float = 0.0
    loop_seconds: deque[float] = field(default_factory=lambda: deque(maxlen=_TIMED_LOOPS))

    def fold(self, event: Event | EarlierCurve, now: float) -> None:
        """Take in ``event``, which came at ``now``."""
        match event:
            case RunStarted():
                self.started, self.started_at, self.loop_started_at = event, now, now
                self.mode, self.progress = event.mode, event.progress
                self.changes = list(event.setting_changes)
                self._take_dead_units(event)
                self.messages.extendleft(event.notices)
            case EarlierLoops():
                self._fold_earlier(curve_of(event))
            case EarlierCurve():
                self._fold_earlier(event)
            case UnitsAblated():
                self.ablation = event
            case EpochProgressed():
                self.epoch = event
            case MetaLoopFinished():
                self._fold_loop(event, now)
            case DeviceMemoryMeasured():
                self.device_memory = event
            case ControlChanged():
                if event.paused or (self.control is not None and self.control.paused):
                    # A loop with a pause in it says nothing about the pace.
                    self.loop_started_at = now
                self.control = event
            case RunFinished():
                self.finished, self.finished_at, self.progress = event, now, event.progress
                self.epoch = self.ablation = None

    def _take_dead_units(self, event: RunStarted | EarlierCurve | MetaLoopFinished) -> None:
        if event.dead_units is not None:
            self.dead_units = frozenset(event.dead_units)

    def _fold_earlier(self, event: EarlierCurve) -> None:
        self._take_dead_units(event)
        self._remember_earlier(event)
        self.meta_loops.extend(event.meta_loops)
        self.accuracies.extend(event.validation_accuracies)
        self.promoted.extend(event.promoted)
        self.train_losses.extend(nan if loss is None else loss for loss in event.train_losses)
        self.train_accuracies.extend(
            nan if one is None else one for one in event.train_accuracies or [None] * len(event.meta_loops)
        )
        self.units.extend(number for unit in event.units for number in unit)
        self.hits.merge(AblationStatistics.from_rows(event.hits))

    def _remember_earlier(self, event: EarlierCurve) -> None:
        """Put the last loops of ``event`` into the log; what is not known of them is not shown there."""
        if self.started is None or self.progress is None:
            return
        mode, layers, count = self.started.mode, len(self.started.unit_counts), len(event.last_ablations)
        told = (event.meta_loops, event.validation_accuracies, event.promoted, event.train_losses)
        last = [one[len(one) - count :] for one in told]
        for meta_loop, accuracy, promoted, loss, gain, units in zip(
            *last, event.last_gains, event.last_ablations, strict=True
        ):
            ablation = UnitsAblated(member=0, meta_loop=meta_loop, mode=mode, layers=layers, units=units)
            loop = MetaLoopFinished(
                member=0,
                meta_loop=meta_loop,
                mode=mode,
                verdict=Verdict.PROMOTED if promoted else Verdict.ROLLED_BACK,
                finite=loss is not None,
                validation_correct=0,
                validation_accuracy=accuracy,
                gain=gain,
                train_loss=nan,
                seconds=0.0,
                ablation=ablation if units else None,
                progress=self.progress,
            )
            self.recent.appendleft(loop)

    def _fold_loop(self, event: MetaLoopFinished, now: float) -> None:
        promoted = event.verdict is Verdict.PROMOTED
        self._take_dead_units(event)
        if event.mode != self.mode and self.mode:
            change = SettingChange(meta_loop=event.meta_loop, name="mode", before=self.mode, after=event.mode)
            self.changes += [] if change in self.changes else [change]
        self.mode, self.progress = event.mode, event.progress
        self.meta_loops.append(event.meta_loop)
        self.accuracies.append(event.validation_accuracy)
        self.promoted.append(promoted)
        self.train_losses.append(event.train_loss if isfinite(event.train_loss) else nan)
        self.train_accuracies.append(nan if event.train_accuracy is None else event.train_accuracy)
        units = () if event.ablation is None else event.ablation.units
        self.units.extend(first_unit(units))
        self.recent.appendleft(event)
        self.hits.fold(units, promoted, event.gain if event.finite else None)
        self.epoch = self.ablation = None
        # The clock of a history that was written elsewhere may have gone back.
        self.loop_seconds.append(max(now - self.loop_started_at, 0.0))
        self.loop_started_at = now

    @property
    def names(self) -> LayerNames:
        """What the layers of the network are called."""
        return LayerNames() if self.started is None else self.started.names

    @property
    def is_still(self) -> bool:
        """Whether the screen stays as it is until something comes: the run is paused or over."""
        return self.finished is not None or (self.control is not None and self.control.paused)

    @property
    def scrollable(self) -> int:
        """How many lines the log has."""
        return len(self.recent)

    @property
    def loop_s(self) -> float | None:
        """Seconds a loop takes here, writing included: the median of the last ones; None before the first."""
        return median(self.loop_seconds) if self.loop_seconds else None

    def seconds_left(self, now: float) -> float | None:
        """Return the time left at the pace of the last loops; None before the first loop."""
        if self.started is None or self.progress is None or self.loop_s is None:
            return None
        loops = self.started.last_meta_loop - self.progress.meta_loop
        is_paused = self.control is not None and self.control.paused
        under_way = min(now - self.loop_started_at, self.loop_s) if loops and not is_paused else 0.0
        return max(loops * self.loop_s - under_way, 0.0)
