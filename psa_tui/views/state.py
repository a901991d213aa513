"""A run as it can be shown: events folded into plain values. No drawing, no clock of its own."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import median

from psa_tui.method.ablation import AblatedUnit
from psa_tui.method.events import (
    ControlChanged,
    EarlierLoops,
    EpochProgressed,
    Event,
    MetaLoopFinished,
    RunFinished,
    RunStarted,
    UnitsAblated,
    Verdict,
)
from psa_tui.method.progress import Progress

_REMEMBERED_LOOPS = 500
_REMEMBERED_MESSAGES = 50
_TIMED_LOOPS = 15


@dataclass(slots=True)
class Hits:
    """How often a unit was ablated, and how often the candidate was promoted all the same."""

    ablated: int = 0
    survived: int = 0


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
    meta_loops: list[int] = field(default_factory=list)
    accuracies: list[float] = field(default_factory=list)
    promoted: list[bool] = field(default_factory=list)
    hits: dict[tuple[int, int], Hits] = field(default_factory=dict)
    """By layer and unit."""
    recent: deque[MetaLoopFinished] = field(default_factory=lambda: deque(maxlen=_REMEMBERED_LOOPS))
    """The loops of this session, newest first."""
    messages: deque[str] = field(default_factory=lambda: deque(maxlen=_REMEMBERED_MESSAGES))
    """Log lines and notices, newest first."""
    control: ControlChanged | None = None
    finished: RunFinished | None = None
    finished_at: float = 0.0
    loop_started_at: float = 0.0
    loop_seconds: deque[float] = field(default_factory=lambda: deque(maxlen=_TIMED_LOOPS))

    def fold(self, event: Event, now: float) -> None:
        """Take in ``event``, which came at ``now``."""
        match event:
            case RunStarted():
                self.started, self.started_at, self.loop_started_at = event, now, now
                self.mode, self.progress = event.mode, event.progress
                self.messages.extendleft(event.notices)
            case EarlierLoops():
                self.meta_loops[:0] = event.meta_loops
                self.accuracies[:0] = event.validation_accuracies
                self.promoted[:0] = event.promoted
                for units, promoted in zip(event.ablations, event.promoted, strict=True):
                    self._hit(units, promoted)
            case UnitsAblated():
                self.ablation = event
            case EpochProgressed():
                self.epoch = event
            case MetaLoopFinished():
                self._fold_loop(event, now)
            case ControlChanged():
                if event.paused or (self.control is not None and self.control.paused):
                    # A loop with a pause in it says nothing about the pace.
                    self.loop_started_at = now
                self.control = event
            case RunFinished():
                self.finished, self.finished_at, self.progress = event, now, event.progress
                self.epoch = self.ablation = None

    def _fold_loop(self, event: MetaLoopFinished, now: float) -> None:
        promoted = event.verdict is Verdict.PROMOTED
        self.mode, self.progress = event.mode, event.progress
        self.meta_loops.append(event.meta_loop)
        self.accuracies.append(event.validation_accuracy)
        self.promoted.append(promoted)
        self.recent.appendleft(event)
        if event.ablation is not None:
            self._hit(event.ablation.units, promoted)
        self.epoch = self.ablation = None
        self.loop_seconds.append(now - self.loop_started_at)
        self.loop_started_at = now

    def _hit(self, units: Iterable[AblatedUnit], promoted: bool) -> None:
        for unit in units:
            hits = self.hits.setdefault((unit.layer, unit.unit), Hits())
            hits.ablated += 1
            hits.survived += promoted

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
