"""What of a study is left to do, who does it, and what came of it so far."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from psa_tui.networks import Network
from psa_tui.storage.study_rows import COMPLETE, FAILED, TrialRow
from psa_tui.studies.parts import Part, parts_of
from psa_tui.studies.spec import StudySpec

_MOST_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Limits:
    """What of a study is to be done in this session."""

    max_hours: float = math.inf
    max_parameters: float = math.inf
    cheapest_first: bool = False
    """Whether to take the cheapest networks first, so that a short session completes as many as it can."""


@dataclass(slots=True)
class Work:
    """A part that is not complete."""

    part: Part
    cost_s: float
    """Predicted seconds of the whole part on one worker."""
    meta_loop: int = 0
    """Meta-loops that all its members have done."""
    attempts: int = 0


@dataclass(slots=True)
class WorkQueue:
    """Work that waits, in the order in which it is to be done, and work under way, by worker."""

    waiting: list[Work]
    working: dict[str, Work] = field(default_factory=dict)

    def take(self, worker: str) -> Work:
        """Give the next work to ``worker``."""
        work = self.waiting.pop(0)
        work.attempts += 1
        self.working[worker] = work
        return work

    def release(self, worker: str) -> None:
        """Note that ``worker`` works no more."""
        self.working.pop(worker, None)

    def fail(self, worker: str, permanent: bool) -> tuple[Work, bool]:
        """Take the work of ``worker`` back; return it, and whether it is given up instead of tried again."""
        work = self.working.pop(worker)
        final = permanent or work.attempts >= _MOST_ATTEMPTS
        if not final:
            self.waiting.insert(0, work)
        return work, final


def divide_work(
    spec: StudySpec, rows: Sequence[TrialRow], cost_s: Callable[[Network], float], limits: Limits
) -> tuple[list[Work], list[Part]]:
    """Return what is left to do within ``limits``, in the order in which to do it, and the parts that are complete.

    Args:
        rows: the study's trials in the database.
        cost_s: predicts the seconds of one trial's meta-loop on one worker.
    """
    known = {(row.architecture, row.trial, row.mode): row for row in rows}
    left, complete = [], []
    for network in spec.networks:
        for part in parts_of(spec, network):
            members = [(network.short_name, trial, variant.name) for trial, variant in part.members(spec)]
            found = [known[member] for member in members if member in known]
            if len(found) == len(members) and all(row.state == COMPLETE for row in found):
                complete.append(part)
            elif network.parameters <= limits.max_parameters:
                done = min((row.meta_loop or 0 for row in found), default=0)
                left.append(Work(part, cost_s(network) * len(members) * spec.meta_loops, done))
    left.sort(key=lambda work: work.cost_s, reverse=not limits.cheapest_first)
    return left, complete


def failed_rows(spec: StudySpec, part: Part, rows: Iterable[TrialRow], cause: str) -> list[TrialRow]:
    """Return the trials of ``part`` as failed, with what ``rows`` have of them: a later session goes on from there."""
    network = part.network
    known = {(row.architecture, row.mode, row.trial): row for row in rows}
    failed = []
    for trial, variant in part.members(spec):
        begun = known.get((network.short_name, variant.name, trial)) or TrialRow(
            architecture=network.short_name,
            mode=variant.name,
            trial=trial,
            parameters=network.parameters,
            seed=spec.seeds(network, variant, trial).draws,
            meta_loop=0,
        )
        failed.append(replace(begun, state=FAILED, reason=cause, test_accuracy=None))
    return failed


@dataclass(slots=True)
class Tally:
    """The complete trials of each network, for the means that views show."""

    modes: Sequence[str]
    bounties: dict[str, dict[tuple[str, int], float | None]] = field(default_factory=dict)
    """Of each network by short name: the best accuracies by mode and trial."""

    def add(self, rows: Iterable[TrialRow]) -> None:
        """Take note of those of ``rows`` that are complete."""
        for row in rows:
            if row.state == COMPLETE:
                self.bounties.setdefault(row.architecture, {})[row.mode, row.trial] = row.bounty

    def means(self, shape: str) -> tuple[float | None, ...]:
        """Return the mean of the complete trials' bounties, one a mode; None where there is none."""
        found: list[float | None] = []
        for mode in self.modes:
            values = [v for (name, _), v in self.bounties.get(shape, {}).items() if name == mode and v is not None]
            found.append(sum(values) / len(values) if values else None)
        return tuple(found)

    def complete_trials(self, shape: str) -> tuple[int, ...]:
        """Return the trials that are complete in all modes."""
        counts = Counter(trial for _, trial in self.bounties.get(shape, {}))
        return tuple(sorted(trial for trial, count in counts.items() if count == len(self.modes)))
