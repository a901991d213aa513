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

_REMEMBERED_MESSAGES = 50
_TIMED_LOOPS = 15


class GroupStatus(StrEnum):
    """How far a group, all trials of a shape, has come."""

    WAITING = "waiting"
    RUNNING = "running"
    BEGUN = "begun"
    """Some of its trials are complete, and nobody is at work on the others."""
    DONE = "done"
    FAILED = "failed"


@dataclass(slots=True)
class GroupState:
    """A shape with all its modes and trials."""

    depth: int
    width: float
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
        """Meta-loops done, with the part of the one under way."""
        return self.meta_loop + self.loop_share


@dataclass(slots=True)
class StudyState:
    """Everything a screen shows of a study; times are seconds on the clock that ``fold`` is given."""

    started: StudyStarted | None = None
    started_at: float = 0.0
    progressed_at: float = 0.0
    groups: dict[str, GroupState] = field(default_factory=dict)
    tasks: dict[str, Task] = field(default_factory=dict)
    """By worker."""
    curves: dict[int, dict[int, float | None]] = field(default_factory=dict)
    """Of a study of one shape and mode: the bounty of each trial by meta-loop, those of this session."""
    messages: deque[str] = field(default_factory=lambda: deque(maxlen=_REMEMBERED_MESSAGES))
    """What happened, newest first."""
    message_count: int = 0
    """How many messages there were, forgotten ones included."""
    given_up: list[CellFailed] = field(default_factory=list)
    """The failures of this session after which trials were not tried again."""
    finished: StudyFinished | None = None

    def fold(self, event: StudyEvent, now: float) -> None:
        """Take in ``event``, which came at ``now``."""
        self.progressed_at = now
        match event:
            case StudyStarted():
                self.started, self.started_at = event, now
                facts = zip(event.shapes, event.depths, event.widths, event.costs_s, strict=True)
                self.groups = {shape: GroupState(depth, width, cost_s) for shape, depth, width, cost_s in facts}
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
                if event.final:
                    self.groups[event.shape].failed.update(event.trials)
                    self.given_up.append(event)
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
            self.groups[event.shape].loop_s.append(event.loop_s / members)
        self.tasks[event.worker] = Task(event.shape, event.trials, event.meta_loop, event.loop_share, event.bounties)
        if self.is_of_one_setting and event.meta_loop:
            for trial, bounty in zip(event.trials, event.bounties[0], strict=True):
                self.curves.setdefault(trial, {})[event.meta_loop] = bounty

    def _fold_finished(self, event: CellFinished) -> None:
        group = self.groups[event.shape]
        group.complete.update(event.trials)
        group.failed.difference_update(event.trials)
        group.means = event.means
        if event.worker is not None:
            self._leave(event.worker, event.shape)
            done = len(group.complete) == self.trials
            what = "done" if done else f"{format_trials(event.trials)} done"
            self._say(f"{event.shape} {what}, best mean {percent(group.best_mean)}")

    def _leave(self, worker: str, shape: str) -> None:
        if worker in self.tasks and self.tasks[worker].shape == shape:
            del self.tasks[worker]

    def _say(self, text: str) -> None:
        self.messages.appendleft(text)
        self.message_count += 1

    @property
    def is_of_one_setting(self) -> bool:
        """Whether it has one shape and one mode."""
        return self.started is not None and len(self.started.shapes) == len(self.started.modes) == 1

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
        complete = sum(len(group.complete) for group in self.groups.values())
        failed = sum(len(group.failed) for group in self.groups.values())
        return complete * modes, failed * modes, len(self.groups) * self.trials * modes

    @property
    def is_still(self) -> bool:
        """Whether the screen stays as it is until something comes: the study is over."""
        return self.finished is not None

    @property
    def scrollable(self) -> int:
        """How many messages there are to scroll through."""
        return len(self.messages)

    def status(self, shape: str) -> GroupStatus:
        """Return how far ``shape`` has come."""
        group = self.groups[shape]
        if any(task.shape == shape for task in self.tasks.values()):
            return GroupStatus.RUNNING
        if group.failed:
            return GroupStatus.FAILED
        if len(group.complete) == self.trials:
            return GroupStatus.DONE
        return GroupStatus.BEGUN if group.complete else GroupStatus.WAITING

    @property
    def rates(self) -> tuple[float, float | None] | None:
        """Trials' meta-loops a second of the tasks that were timed, and those predicted; None before.

        Where costs were only guessed, to weigh the shapes against each other, nothing was predicted.
        """
        timed = [self.groups[task.shape] for task in self.tasks.values() if self.groups[task.shape].loop_s]
        if not timed or self.started is None:
            return None
        predicted = sum(1 / group.cost_s for group in timed) if self.started.costs_measured else None
        return sum(1 / median(group.loop_s) for group in timed), predicted

    @property
    def share_done(self) -> float:
        """The part of the work that is done, from 0 to 1; that of trials that failed for good is not."""
        if self.started is None:
            return 0.0
        costs = self._costs_s()
        complete = sum(costs[shape] * len(group.complete) for shape, group in self.groups.items())
        every = sum(costs.values()) * self.trials * self._loops_of_a_trial
        return min((complete * self._loops_of_a_trial + self._under_way_s(costs)) / every, 1.0) if every else 0.0

    def _left_s(self, costs: dict[str, float]) -> float:
        """Return the seconds of one worker that are left; trials that failed for good are not.

        A shape costs what its own meta-loops took, or else what was predicted times what other shapes took
        longer than predicted, the most alike counting most.
        """
        left = sum(
            costs[shape] * (self.trials - len(group.complete | group.failed)) for shape, group in self.groups.items()
        )
        return max(left * self._loops_of_a_trial - self._under_way_s(costs), 0.0)

    @property
    def _loops_of_a_trial(self) -> int:
        """Meta-loops of a trial in all modes."""
        return 0 if self.started is None else len(self.started.modes) * self.started.meta_loops

    def _under_way_s(self, costs: dict[str, float]) -> float:
        return sum(self._task_s(task, costs, task.loops) for task in self.tasks.values())

    def seconds_left(self, now: float) -> float | None:
        """Return the time left; None until a loop was timed, after which it only waits for the workers to go on."""
        if self.started is None or not any(group.loop_s for group in self.groups.values()):
            return None
        costs = self._costs_s()
        left = self._left_s(costs)
        loops = self.started.meta_loops
        running = [self._task_s(task, costs, loops - task.loops) for task in self.tasks.values()]
        # Towards the end there are more workers than tasks, and the longest of them decides.
        workers = self.started.workers if left > sum(running) * 1.001 else len(running)
        longest = max([left / max(workers, 1), *running])
        return max(longest - (now - self.progressed_at), 0.0)

    def _task_s(self, task: Task, costs: dict[str, float], loops: float) -> float:
        """Return the seconds one worker needs for ``loops`` meta-loops of ``task``."""
        assert self.started is not None
        return costs[task.shape] * len(task.trials) * len(self.started.modes) * loops

    def _costs_s(self) -> dict[str, float]:
        """Return the seconds of one trial's meta-loop, by shape."""
        ratios = {name: median(group.loop_s) / group.cost_s for name, group in self.groups.items() if group.loop_s}
        timed: dict[tuple[float, float], float]
        timed = {(self.groups[name].depth, self.groups[name].width): ratio for name, ratio in ratios.items()}
        costs = {}
        for name, group in self.groups.items():
            suggested = transfer(timed, (group.depth, group.width)) if timed and name not in ratios else 1.0
            costs[name] = group.cost_s * ratios.get(name, suggested)
        return costs


def format_trials(trials: tuple[int, ...]) -> str:
    """Return ``trial 3``, or ``trials 1-10``."""
    first, last = trials[0], trials[-1]
    return f"trial {first}" if first == last else f"trials {first}-{last}"
