"""Who does a study's work: the messages that workers send to the driver, and what the driver asks of an executor.

An executor never writes to the disk: what its workers achieve comes back as messages, and the driver alone
records it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from psa_tui.errors import CheckpointError, ConfigError, PsaError
from psa_tui.storage.study_rows import TrialLoop, TrialRow
from psa_tui.studies.events import StudyNote
from psa_tui.studies.parts import Part


@dataclass(frozen=True, slots=True, kw_only=True)
class PartProgress:
    """A worker got on with its part."""

    worker: str
    part: Part
    meta_loop: int
    """Meta-loops completed."""
    loop_fraction: float = 0.0
    """How much of the next meta-loop is done, from 0 to 1."""
    loop_s: float | None = None
    """Seconds of the last meta-loop; None before there is one."""
    bounties: tuple[tuple[float | None, ...], ...] = ()
    """The best validation accuracies so far: one tuple a variant, one entry a trial of the part."""
    loops: tuple[TrialLoop, ...] = ()
    """The meta-loops finished since the last message, of all members."""
    trials: tuple[TrialRow, ...] = ()
    """The trials as they stand, whenever ``loops`` has any or the part is done."""
    state: bytes | None = None
    """The part's state after ``meta_loop``, now and then."""
    done: bool = False
    """Whether the part is complete, and the worker free."""


@dataclass(frozen=True, slots=True)
class PartFailed:
    """A worker lives and is free again, but could not train its part."""

    worker: str
    part: Part
    cause: str
    permanent: bool
    """Whether trying again would end the same way."""

    @classmethod
    def of(cls, worker: str, part: Part, error: Exception) -> PartFailed:
        """Return the message of a worker that met ``error``."""
        text = " ".join(str(error).split())[:300]
        if isinstance(error, PsaError):
            return cls(worker, part, text, permanent=isinstance(error, CheckpointError | ConfigError))
        return cls(worker, part, f"{type(error).__name__}: {text}", permanent=False)


@dataclass(frozen=True, slots=True)
class WorkerDied:
    """A worker is gone, and another takes its place under the same name."""

    worker: str
    part: Part | None
    cause: str


@dataclass(frozen=True, slots=True)
class WorkerStopped:
    """A worker was asked to stop, and did; ``part`` is not complete."""

    worker: str
    part: Part


Message = PartProgress | PartFailed | WorkerDied | WorkerStopped | StudyNote


class Executor(Protocol):
    """Something that trains parts. Workers have names; each trains one part at a time."""

    @property
    def workers(self) -> Sequence[str]:
        """The workers' names."""

    def submit(self, worker: str, part: Part, saved: bytes | None) -> None:
        """Let a free worker train ``part``, from ``saved`` on if that is given."""

    def messages(self, timeout_s: float) -> list[Message]:
        """Return what happened; empty when nothing did within ``timeout_s``."""

    def stop(self) -> None:
        """Ask all workers to send what they have and to leave; ``messages`` brings it."""

    def close(self) -> None:
        """End what is left of the workers, at once."""
