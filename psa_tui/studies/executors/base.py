"""Who does a study's work: the words a driver and its workers have for one another.

An executor never writes to the disk: what its workers achieve comes back as messages, and the driver alone
records it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from psa_tui.storage.study_store import LoopRow, TrialRow
from psa_tui.studies.parts import Part


@dataclass(frozen=True, slots=True)
class Advanced:
    """A worker got on with its part."""

    worker: str
    part: Part
    meta_loop: int
    loop_share: float
    loop_s: float | None
    """Seconds of the last meta-loop; None before there is one."""
    bounties: tuple[tuple[float | None, ...], ...]
    """One tuple a mode, one entry a trial of the part."""
    rows: tuple[LoopRow, ...] = ()
    """The meta-loops finished since the last message."""
    trials: tuple[TrialRow, ...] = ()
    """The trials as they stand, whenever ``rows`` has any or the part is done."""
    state: bytes | None = None
    """The part's state after the last of ``rows``, now and then."""
    done: bool = False
    """Whether the part is complete, and the worker free."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A worker lives and is free again, but could not train its part."""

    worker: str
    part: Part
    cause: str
    hopeless: bool
    """Whether trying again would end the same way."""


@dataclass(frozen=True, slots=True)
class Lost:
    """A worker is gone, and another takes its place under the same name."""

    worker: str
    part: Part | None
    cause: str


@dataclass(frozen=True, slots=True)
class Left:
    """A worker was asked to stop, and did; ``part`` is not complete."""

    worker: str
    part: Part


Message = Advanced | Refused | Lost | Left


class Executor(Protocol):
    """Something that trains parts. Workers have names; each trains one part at a time."""

    @property
    def workers(self) -> Sequence[str]:
        """The workers' names."""

    def submit(self, worker: str, part: Part, saved: bytes | None) -> None:
        """Let a free worker train ``part``, from ``saved`` on if that is given."""

    def messages(self, patience_s: float) -> list[Message]:
        """What happened; empty when nothing did within ``patience_s``."""

    def stop(self) -> None:
        """Ask all workers to send what they have and to leave; ``messages`` brings it."""

    def close(self) -> None:
        """End what is left of the workers, at once."""
