"""Driving a study: hand parts to workers, record what they achieve, then tell of it.

The driver alone writes. What workers send is put into the database first (one transaction a batch of
messages), then the states of the parts under way into the study's folder, and only then do views hear of it. A
kill at any moment leaves a state at or behind the database; the loops between are trained again, to the same
bits, and written to the same rows.
"""

from __future__ import annotations

import contextlib
import math
import platform
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from psa_tui.errors import CheckpointError, ConfigError
from psa_tui.machine.signals import LeaveAtOnce
from psa_tui.storage.atomic_write import replace_file
from psa_tui.storage.locks import locked
from psa_tui.storage.study_store import COMPLETE, FAILED, StudyStore, TrialRow
from psa_tui.studies.events import (
    CellFailed,
    CellFinished,
    CellProgressed,
    CellStarted,
    StudyEvent,
    StudyFinished,
    StudyNote,
    StudyOutcome,
    StudyStarted,
    WorkerLost,
)
from psa_tui.studies.executors.base import Advanced, Executor, Left, Lost, Message, Refused
from psa_tui.studies.grids import Shape
from psa_tui.studies.parts import Part, parts_of
from psa_tui.studies.spec import StudySpec, trial_seed

_ATTEMPTS = 3
_POLL_S = 0.2
_FAREWELL_S = 2.5
"""How long workers may take to hand over what they have when the study is to stop."""


class Stop(Protocol):
    """Tells whether, and why, a study should stop."""

    @property
    def reason(self) -> str | None:
        """Why; None while it should not."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What of a study is to be done in this session."""

    max_hours: float = math.inf
    max_parameters: float = math.inf
    cheapest_first: bool = False
    """Whether to take the cheapest shapes first, so that a short session completes as many as it can."""


@dataclass(slots=True)
class _Work:
    """A part that is not complete."""

    part: Part
    cost_s: float
    attempts: int = 0
    meta_loop: int = 0


@dataclass(slots=True)
class _Tally:
    """The complete trials of each shape, for the means that views show."""

    modes: Sequence[str]
    bounties: dict[str, dict[tuple[str, int], float | None]] = field(default_factory=dict)

    def add(self, rows: Iterable[TrialRow]) -> None:
        for row in rows:
            if row.state == COMPLETE:
                self.bounties.setdefault(row.architecture, {})[row.mode, row.trial] = row.bounty

    def means(self, shape: str) -> tuple[float | None, ...]:
        found: list[float | None] = []
        for mode in self.modes:
            values = [v for (name, _), v in self.bounties.get(shape, {}).items() if name == mode and v is not None]
            found.append(sum(values) / len(values) if values else None)
        return tuple(found)


def study_folder(results_dir: Path, name: str) -> Path:
    """Where the states of a study's parts under way are kept."""
    return results_dir / "studies" / name


def enter(store: StudyStore, spec: StudySpec) -> None:
    """Enter ``spec`` into the database, or check that the study of its name is the same.

    Raises:
        ConfigError: a study of this name is another one; nothing was changed.
    """
    known = store.study(spec.name)
    if known is not None:
        differences = ["where its trials come from (S3)"] if known.source != "local" else known.spec().differences(spec)
        if differences:
            raise ConfigError(
                f"study {spec.name} differs in {'; '.join(differences)}: say what it was begun with, "
                "or --study another-name"
            )
    store.begin_local(spec)


class Driver:
    """One session of work on a study."""

    def __init__(
        self,
        spec: StudySpec,
        store: StudyStore,
        results_dir: Path,
        start_workers: Callable[[], Executor],
        cost_s: Callable[[Shape], float],
        limits: Limits,
        stop: Stop,
        versions: dict[str, str],
        notices: tuple[str, ...] = (),
        go_on: str = "psa reproduce run",
    ) -> None:
        """``cost_s`` predicts the seconds of one trial's meta-loop on one worker."""
        self._spec, self._store, self._stop, self._limits = spec, store, stop, limits
        self._folder = study_folder(results_dir, spec.name)
        self._start_workers, self._cost_s = start_workers, cost_s
        self._versions, self._notices, self._go_on = versions, notices, go_on
        self._tally = _Tally([str(mode) for mode in spec.modes])
        self._working: dict[str, _Work] = {}
        self._waiting: list[_Work] = []
        self._session = 0
        self._started = time.monotonic()

    def run(self) -> Iterator[StudyEvent]:
        """Work until all is complete, or a limit or a request ends it; the last event says which.

        Raises:
            ConfigError: another process works on this study.
            CheckpointError, HistoryError: a disk that is full or read-only; what was recorded is intact.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CheckpointError(
                f"{self._folder}: cannot be made ({error.strerror}); choose another --results-dir"
            ) from None
        with self._alone():
            enter(self._store, self._spec)
            rows = self._store.trials(self._spec.name)
            self._tally.add(rows)
            self._waiting = self._pending(rows)
            executor = self._start_workers()
            self._session = self._store.begin_session(
                self._spec.name, len(executor.workers), platform.node(), self._versions
            )
            try:
                yield self._begin(executor, resumed=bool(rows))
                yield from self._earlier(rows)
                yield from self._work(executor)
                yield self._end(*self._outcome())
            except LeaveAtOnce as leave:
                self._store.end_session(self._spec.name, self._session, StudyOutcome.STOPPED, str(leave))
                raise
            except Exception as error:
                with contextlib.suppress(Exception):
                    self._store.end_session(self._spec.name, self._session, StudyOutcome.FAILED, str(error)[:200])
                raise
            finally:
                executor.close()

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        try:
            with locked(self._folder / "study"):
                yield
        except CheckpointError as error:
            if "is being trained by" in str(error):
                raise ConfigError(
                    f"study {self._spec.name} is being run by another process; psa reproduce status shows it, "
                    "--study keeps several apart"
                ) from None
            raise

    def _pending(self, rows: list[TrialRow]) -> list[_Work]:
        """What is left to do, in the order in which it is to be done."""
        known = {(row.architecture, row.trial, row.mode): row for row in rows}
        work = []
        for shape in self._spec.shapes:
            for part in parts_of(self._spec, shape):
                members = [(str(shape), trial, str(mode)) for trial in part.trials for mode in self._spec.modes]
                found = [known[member] for member in members if member in known]
                if len(found) == len(members) and all(row.state == COMPLETE for row in found):
                    # A kill may come after a part was recorded as complete and before its state was removed.
                    (self._folder / part.file_name).unlink(missing_ok=True)
                elif shape.parameters <= self._limits.max_parameters:
                    done = min((row.meta_loop or 0 for row in found), default=0)
                    cost_s = self._cost_s(shape) * len(members) * self._spec.meta_loops
                    work.append(_Work(part, cost_s, meta_loop=done))
        return sorted(work, key=lambda item: item.cost_s, reverse=not self._limits.cheapest_first)

    def _begin(self, executor: Executor, resumed: bool) -> StudyStarted:
        spec = self._spec
        return StudyStarted(
            study=spec.name,
            resumed=resumed,
            quick=spec.quick,
            shapes=tuple(map(str, spec.shapes)),
            modes=tuple(map(str, spec.modes)),
            trials=spec.trials,
            meta_loops=spec.meta_loops,
            seed=spec.seed,
            dataset=spec.dataset,
            workers=len(executor.workers),
            costs_s=tuple(self._cost_s(shape) for shape in spec.shapes),
            notices=self._notices,
        )

    def _earlier(self, rows: list[TrialRow]) -> Iterator[CellFinished]:
        done: dict[str, Counter[int]] = {}
        for row in rows:
            if row.state == COMPLETE:
                done.setdefault(row.architecture, Counter())[row.trial] += 1
        for shape, counts in done.items():
            trials = tuple(sorted(trial for trial, count in counts.items() if count == len(self._spec.modes)))
            yield CellFinished(shape=shape, worker=None, trials=trials, means=self._tally.means(shape))

    def _work(self, executor: Executor) -> Iterator[StudyEvent]:
        while self._waiting or self._working:
            if self._ending is not None:
                yield from self._say_goodbye(executor)
                return
            for worker in executor.workers:
                if worker not in self._working and self._waiting:
                    yield self._hand_out(executor, worker)
            yield from self._record(executor.messages(_POLL_S))

    @property
    def _ending(self) -> str | None:
        """Why no more work is to be done in this session."""
        if self._stop.reason is not None:
            return self._stop.reason
        if time.monotonic() - self._started >= self._limits.max_hours * 3600:
            return f"--max-hours {self._limits.max_hours:g} are over"
        return None

    def _hand_out(self, executor: Executor, worker: str) -> CellStarted:
        item = self._waiting.pop(0)
        item.attempts += 1
        self._working[worker] = item
        path = self._folder / item.part.file_name
        try:
            saved = path.read_bytes() if path.exists() else None
        except OSError as error:
            raise CheckpointError(f"{path}: cannot be read ({error.strerror})") from None
        executor.submit(worker, item.part, saved)
        return CellStarted(
            shape=str(item.part.shape),
            worker=worker,
            trials=item.part.trials,
            meta_loop=item.meta_loop,
            attempt=item.attempts,
        )

    def _record(self, messages: list[Message]) -> list[StudyEvent]:
        """Make durable what ``messages`` say, then put it into events."""
        steps = [message for message in messages if isinstance(message, Advanced)]
        rows = [row for step in steps for row in step.rows]
        # Of several messages of one part the last has the trials as they stand.
        latest = {(row.architecture, row.mode, row.trial): row for step in steps for row in step.trials}
        if rows or latest:
            self._store.put(self._spec.name, latest.values(), rows, self._session)
        self._tally.add(latest.values())
        for step in steps:
            self._keep(step)
        return [event for message in messages for event in self._tell(message)]

    def _keep(self, step: Advanced) -> None:
        path = self._folder / step.part.file_name
        try:
            if step.done:
                path.unlink(missing_ok=True)
            elif step.state is not None:
                replace_file(path, step.state)
        except OSError as error:
            raise CheckpointError(
                f"{path}: cannot be written ({error.strerror}); what was recorded before is intact; "
                f"see to space and permissions, then {self._go_on}"
            ) from None

    def _tell(self, message: Message) -> Iterator[StudyEvent]:
        if isinstance(message, Advanced):
            shape, trials = str(message.part.shape), message.part.trials
            item = self._working.get(message.worker)
            if item is not None:
                item.meta_loop = message.meta_loop
            yield CellProgressed(
                shape=shape,
                worker=message.worker,
                trials=trials,
                meta_loop=message.meta_loop,
                loop_share=message.loop_share,
                loop_s=message.loop_s,
                bounties=message.bounties,
            )
            if message.done:
                self._working.pop(message.worker, None)
                yield CellFinished(shape=shape, worker=message.worker, trials=trials, means=self._tally.means(shape))
        elif isinstance(message, Refused):
            yield self._fail(message.worker, message.cause, message.hopeless)
        elif isinstance(message, Lost):
            yield WorkerLost(worker=message.worker, cause=message.cause)
            if message.worker in self._working:
                yield self._fail(message.worker, message.cause, hopeless=False)
        elif isinstance(message, Left):
            self._working.pop(message.worker, None)

    def _fail(self, worker: str, cause: str, hopeless: bool) -> CellFailed:
        """Try a part again, or mark its trials failed."""
        item = self._working.pop(worker)
        final = hopeless or item.attempts >= _ATTEMPTS
        if final:
            self._store.put(self._spec.name, self._failed_rows(item.part, cause))
        else:
            self._waiting.insert(0, item)
        return CellFailed(
            shape=str(item.part.shape),
            worker=worker,
            trials=item.part.trials,
            attempt=item.attempts,
            cause=cause,
            final=final,
        )

    def _failed_rows(self, part: Part, cause: str) -> list[TrialRow]:
        """Failed, with what was recorded of them; a later session tries them again from there."""
        known = {(row.architecture, row.mode, row.trial): row for row in self._store.trials(self._spec.name)}
        rows = []
        for trial in part.trials:
            for mode in self._spec.modes:
                before = known.get((str(part.shape), str(mode), trial))
                rows.append(
                    TrialRow(
                        architecture=str(part.shape),
                        mode=str(mode),
                        trial=trial,
                        parameters=part.shape.parameters,
                        seed=trial_seed(self._spec.seed, part.shape, trial),
                        state=FAILED,
                        reason=cause,
                        meta_loop=0 if before is None else before.meta_loop,
                        bounty=None if before is None else before.bounty,
                        bounty_meta_loop=None if before is None else before.bounty_meta_loop,
                        seconds=0.0 if before is None else before.seconds,
                        origin="" if before is None else before.origin,
                    )
                )
        return rows

    def _say_goodbye(self, executor: Executor) -> Iterator[StudyEvent]:
        """Let the workers hand over what they have."""
        yield StudyNote(text=f"stopping ({self._ending}): the workers hand over what they have")
        executor.stop()
        deadline = time.monotonic() + _FAREWELL_S
        while self._working and (left := deadline - time.monotonic()) > 0:
            yield from self._record(executor.messages(min(left, _POLL_S)))

    def _outcome(self) -> tuple[StudyOutcome, str]:
        rows = self._store.trials(self._spec.name)
        complete = sum(row.state == COMPLETE for row in rows)
        failed = sum(row.state == FAILED for row in rows)
        total = len(self._spec.shapes) * len(self._spec.modes) * self._spec.trials
        if complete == total:
            return StudyOutcome.FINISHED, ""
        if self._ending is not None:
            return StudyOutcome.STOPPED, self._ending
        if failed:
            return StudyOutcome.INCOMPLETE, f"{failed} trials failed"
        return StudyOutcome.STOPPED, "--max-params leaves the larger shapes"

    def _end(self, outcome: StudyOutcome, reason: str) -> StudyFinished:
        rows = self._store.trials(self._spec.name)
        self._store.end_session(self._spec.name, self._session, outcome, reason)
        return StudyFinished(
            outcome=outcome,
            reason=reason,
            complete=sum(row.state == COMPLETE for row in rows),
            failed=sum(row.state == FAILED for row in rows),
            seconds=time.monotonic() - self._started,
            go_on=self._go_on,
        )
