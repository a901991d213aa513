"""A study as it can be shown: events folded into plain values. No drawing, no clock of its own."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from statistics import median

from psa_tui.formatting import percent
from psa_tui.studies.cost_model import transfer
from psa_tui.studies.events import (
    CellFailed,
    CellFinished,
    CellProgressed,
    CellStarted,
    StudyEvent,
    StudyFinished,
    StudyNote,
    StudyStarted,
    WorkerLost,
)
from psa_tui.studies.grids import Shape, parse_shape

_REMEMBERED_MESSAGES = 50
_TIMED_LOOPS = 15


class Standing(StrEnum):
    """Where a shape stands."""

    WAITING = "waiting"
    RUNNING = "running"
    BEGUN = "begun"
    """Some of its trials are complete, and nobody is at work on the others."""
    DONE = "done"
    FAILED = "failed"


@dataclass(slots=True)
class Cell:
    """A shape with all its trials."""

    shape: Shape
    cost_s: float
    """Predicted seconds of one trial's meta-loop."""
    complete: set[int] = field(default_factory=set)
    failed: set[int] = field(default_factory=set)
    means: tuple[float | None, ...] = ()
    loop_s: deque[float] = field(default_factory=lambda: deque(maxlen=_TIMED_LOOPS))
    """Seconds that the last meta-loops took, divided among the trials and modes that took part."""

    @property
    def best_mean(self) -> float | None:
        """The highest mean of a mode."""
        return max((mean for mean in self.means if mean is not None), default=None)


@dataclass(slots=True)
class Task:
    """What a worker is at."""

    shape: str
    trials: tuple[int, ...]
    meta_loop: int
    loop_share: float = 0.0
    bounties: tuple[tuple[float | None, ...], ...] = ()

    @property
    def loops(self) -> float:
        """Meta-loops done, with the share of the one under way."""
        return self.meta_loop + self.loop_share


@dataclass(slots=True)
class StudyState:
    """Everything a screen shows of a study; times are seconds on the clock that ``fold`` is given."""

    started: StudyStarted | None = None
    started_at: float = 0.0
    progressed_at: float = 0.0
    cells: dict[str, Cell] = field(default_factory=dict)
    tasks: dict[str, Task] = field(default_factory=dict)
    """By worker."""
    messages: deque[str] = field(default_factory=lambda: deque(maxlen=_REMEMBERED_MESSAGES))
    """What happened, newest first."""
    told: int = 0
    """How much has happened, though no longer remembered."""
    finished: StudyFinished | None = None

    def fold(self, event: StudyEvent, now: float) -> None:
        """Take ``event`` in, which came at ``now``."""
        self.progressed_at = now
        match event:
            case StudyStarted():
                self.started, self.started_at = event, now
                costs = zip(event.shapes, event.costs_s, strict=True)
                self.cells = {shape: Cell(parse_shape(shape), cost_s) for shape, cost_s in costs}
                for notice in event.notices:
                    self._say(notice)
            case CellStarted():
                self.tasks[event.worker] = Task(event.shape, event.trials, event.meta_loop)
                if event.attempt > 1:
                    self._say(f"{event.shape} {format_trials(event.trials)}: attempt {event.attempt}")
            case CellProgressed():
                self._fold_progress(event)
            case CellFinished():
                self._fold_finished(event)
            case CellFailed():
                self._leave(event.worker, event.shape)
                self.cells[event.shape].failed.update(event.trials if event.final else ())
                fate = "marked failed" if event.final else "will be tried again"
                self._say(f"{event.shape} {format_trials(event.trials)} failed, {fate}: {event.cause}")
            case WorkerLost():
                self.tasks.pop(event.worker, None)
                self._say(f"{event.worker} lost: {event.cause}")
            case StudyNote():
                self._say(event.text)
            case StudyFinished():
                self.finished = event
                self.tasks.clear()

    def _fold_progress(self, event: CellProgressed) -> None:
        before = self.tasks.get(event.worker)
        if event.loop_s is not None and before is not None and event.meta_loop > before.meta_loop:
            members = len(event.trials) * len(event.bounties)
            self.cells[event.shape].loop_s.append(event.loop_s / members)
        self.tasks[event.worker] = Task(event.shape, event.trials, event.meta_loop, event.loop_share, event.bounties)

    def _fold_finished(self, event: CellFinished) -> None:
        cell = self.cells[event.shape]
        cell.complete.update(event.trials)
        cell.failed.difference_update(event.trials)
        cell.means = event.means
        if event.worker is not None:
            self._leave(event.worker, event.shape)
            done = len(cell.complete) == self.trials
            what = "done" if done else f"{format_trials(event.trials)} done"
            self._say(f"{event.shape} {what}, best mean {percent(cell.best_mean)}")

    def _leave(self, worker: str, shape: str) -> None:
        if worker in self.tasks and self.tasks[worker].shape == shape:
            del self.tasks[worker]

    def _say(self, text: str) -> None:
        self.messages.appendleft(text)
        self.told += 1

    @property
    def trials(self) -> int:
        """Trials of a shape and mode."""
        return 0 if self.started is None else self.started.trials

    @property
    def trial_counts(self) -> tuple[int, int, int]:
        """Trials of all shapes and modes: complete, failed, and all there are."""
        if self.started is None:
            return 0, 0, 0
        modes = len(self.started.modes)
        complete = sum(len(cell.complete) for cell in self.cells.values())
        failed = sum(len(cell.failed) for cell in self.cells.values())
        return complete * modes, failed * modes, len(self.cells) * self.trials * modes

    def standing(self, shape: str) -> Standing:
        """Where ``shape`` stands."""
        cell = self.cells[shape]
        if any(task.shape == shape for task in self.tasks.values()):
            return Standing.RUNNING
        if cell.failed:
            return Standing.FAILED
        if len(cell.complete) == self.trials:
            return Standing.DONE
        return Standing.BEGUN if cell.complete else Standing.WAITING

    @property
    def rates(self) -> tuple[float, float] | None:
        """Trials' meta-loops a second of the tasks that were timed: as they are, and as predicted; None before."""
        timed = [self.cells[task.shape] for task in self.tasks.values() if self.cells[task.shape].loop_s]
        if not timed:
            return None
        return sum(1 / median(cell.loop_s) for cell in timed), sum(1 / cell.cost_s for cell in timed)

    def work_s(self) -> tuple[float, float]:
        """Seconds of one worker that the study takes: what is left, and all of it.

        A shape costs what its own meta-loops took, or else what was predicted times what other shapes took
        longer than predicted, the most alike counting most. Trials that failed for good are not left.
        """
        if self.started is None:
            return 0.0, 0.0
        costs = self._costs_s()
        size = len(self.started.modes) * self.started.meta_loops
        every = sum(cost * self.trials for cost in costs.values()) * size
        left = sum(
            costs[shape] * (self.trials - len(cell.complete | cell.failed)) for shape, cell in self.cells.items()
        )
        done = sum(self._task_s(task, costs, task.loops) for task in self.tasks.values())
        return max(left * size - done, 0.0), every

    def seconds_left(self, now: float) -> float | None:
        """The time left; None until a loop was timed, after which it only waits for the workers to go on."""
        if self.started is None or not any(cell.loop_s for cell in self.cells.values()):
            return None
        costs = self._costs_s()
        left, _ = self.work_s()
        loops = self.started.meta_loops
        running = [self._task_s(task, costs, loops - task.loops) for task in self.tasks.values()]
        # Towards the end there are more workers than tasks, and the longest of them decides.
        workers = self.started.workers if left > sum(running) * 1.001 else len(running)
        longest = max([left / max(workers, 1), *running])
        return max(longest - (now - self.progressed_at), 0.0)

    def _task_s(self, task: Task, costs: dict[str, float], loops: float) -> float:
        """Seconds one worker needs for ``loops`` meta-loops of ``task``."""
        assert self.started is not None
        return costs[task.shape] * len(task.trials) * len(self.started.modes) * loops

    def _costs_s(self) -> dict[str, float]:
        """Seconds of one trial's meta-loop, by shape."""
        timed = {cell.shape: median(cell.loop_s) / cell.cost_s for cell in self.cells.values() if cell.loop_s}
        return {
            name: cell.cost_s * (timed.get(cell.shape) or (transfer(timed, cell.shape) if timed else 1.0))
            for name, cell in self.cells.items()
        }


def format_trials(trials: tuple[int, ...]) -> str:
    """``trial 3``, or ``trials 1-10``."""
    first, last = trials[0], trials[-1]
    return f"trial {first}" if first == last else f"trials {first}-{last}"
