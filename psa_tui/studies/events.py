"""What happens in a study, as frozen records: the driver makes them, views only read them.

Accuracies are fractions, times are seconds. Shapes are short names of networks (``18*18``), modes are names of
variants. A worker may train a shape whole or a part of its trials, so an event names the trials it is about, counted
from 1. ``means`` and ``bounties`` have one entry a mode, in the order of ``StudyStarted.modes``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from psa_tui.method.event_codec import event


class StudyOutcome(StrEnum):
    """How a session of a study ended."""

    FINISHED = "finished"
    INCOMPLETE = "incomplete"
    """Everything was tried, and some cells failed for good."""
    STOPPED = "stopped"
    FAILED = "failed"


@event("study_started")
@dataclass(frozen=True, slots=True, kw_only=True)
class StudyStarted:
    """A session of a study begins; a ``CellFinished`` without a worker follows for every cell done before."""

    study: str
    resumed: bool
    quick: bool
    shapes: tuple[str, ...]
    depths: tuple[int, ...]
    """``Network.depth`` of each shape, where a map of the study shows it."""
    widths: tuple[float, ...]
    """``Network.width`` of each shape."""
    modes: tuple[str, ...]
    trials: int
    meta_loops: int
    seed: int
    dataset: str
    workers: int
    costs_s: tuple[float, ...]
    """Predicted seconds of one trial's meta-loop on one worker, one entry a shape."""
    costs_measured: bool = True
    """Whether they are more than a guess from the operations of some core: what a session compares itself with."""
    notices: tuple[str, ...] = ()
    """What a user must know before trusting the numbers, such as a substituted data set."""
    network: str = "mlp"
    """The family of all networks."""


@event("cell_started")
@dataclass(frozen=True, slots=True, kw_only=True)
class CellStarted:
    """A worker begins ``trials`` of ``shape``, or goes on with them after ``meta_loop`` meta-loops."""

    shape: str
    worker: str
    trials: tuple[int, ...]
    meta_loop: int
    attempt: int = 1


@event("cell_progressed")
@dataclass(frozen=True, slots=True, kw_only=True)
class CellProgressed:
    """A worker is at work: ``meta_loop`` loops are done and recorded, and ``loop_share`` (0 to 1) of the next."""

    shape: str
    worker: str
    trials: tuple[int, ...]
    meta_loop: int
    loop_share: float
    loop_s: float | None
    """Seconds of the last meta-loop of all these trials and modes; None before there is one."""
    bounties: tuple[tuple[float | None, ...], ...]
    """The best validation accuracy so far: one tuple a mode, one entry a trial; None before a first promotion."""


@event("cell_finished")
@dataclass(frozen=True, slots=True, kw_only=True)
class CellFinished:
    """Trials of a shape are complete and recorded."""

    shape: str
    worker: str | None
    """None for what was complete before this session."""
    trials: tuple[int, ...]
    means: tuple[float | None, ...]
    """Mean of the best validation accuracies of the shape's complete trials."""


@event("cell_failed")
@dataclass(frozen=True, slots=True, kw_only=True)
class CellFailed:
    """A cell did not come to its end; it is tried again unless ``final``."""

    shape: str
    worker: str
    trials: tuple[int, ...]
    attempt: int
    cause: str
    final: bool


@event("worker_lost")
@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerLost:
    """A worker died, or can no longer be reached."""

    worker: str
    cause: str


@event("study_note")
@dataclass(frozen=True, slots=True, kw_only=True)
class StudyNote:
    """Something worth a line, such as a worker that joined."""

    text: str


@event("study_finished")
@dataclass(frozen=True, slots=True, kw_only=True)
class StudyFinished:
    """A session of a study ended, by itself or not."""

    outcome: StudyOutcome
    reason: str
    """Why it stopped or failed, in a few words; empty when it finished, and when nothing is left but what failed."""
    complete: int
    """Complete trials, of all modes together."""
    failed: int
    """Trials marked failed."""
    seconds: float
    go_on: str
    """The command that goes on with it."""


StudyEvent = (
    StudyStarted | CellStarted | CellProgressed | CellFinished | CellFailed | WorkerLost | StudyNote | StudyFinished
)
