"""Driving a study: hand parts to workers, record what they achieve, then tell of it.

The driver alone writes. What workers send is put into the database first (one transaction a batch of messages), then
the states of the parts under way into the study's folder, and only then do views hear of it. A kill at any moment
leaves a state at or behind the database; the loops between are trained again, to the same bits and rows.
"""

from __future__ import annotations

import contextlib
import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from psa_tui.errors import ConfigError
from psa_tui.machine.signals import LeaveAtOnce
from psa_tui.networks import Network
from psa_tui.storage.locks import LockedError, locked
from psa_tui.storage.study_rows import COMPLETE, FAILED, LOCAL, TrialRow
from psa_tui.storage.study_store import StudyStore
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
from psa_tui.studies.executors.base import Executor, Message, PartFailed, PartProgress, WorkerDied, WorkerStopped
from psa_tui.studies.part_files import PartFiles, study_folder, study_lock
from psa_tui.studies.spec import StudySpec
from psa_tui.studies.work_queue import Limits, Tally, WorkQueue, divide_work, failed_rows

_POLL_S = 0.2
_DRAIN_S = 2.5
"""How long workers may take to hand over what they have when the study is to stop."""


class Stop(Protocol):
    """Tells whether, and why, a study should stop."""

    @property
    def reason(self) -> str | None:
        """Why; None while it should not."""


def enter_study(store: StudyStore, spec: StudySpec) -> None:
    """Enter ``spec`` into the database, or check that the study of its name is the same but for trials it gains.

    Raises:
        ConfigError: a study of this name is another one; nothing was changed.
    """
    known = store.study(spec.name)
    if known is not None:
        differences = ["where its trials come from (S3)"]
        if known.source == LOCAL:
            begun = StudySpec.from_settings(known.settings)
            differences = begun.with_trials(spec.trials).differences(spec)
        if differences:
            raise ConfigError(
                f"study {spec.name} differs in {'; '.join(differences)}: say what it was begun with, "
                "or --study another-name"
            )
    store.enter(spec.name, LOCAL, spec.as_recorded(), spec.quick, spec.seed, spec.meta_loops, spec.trials)


class Driver:
    """One session of work on a study."""

    def __init__(
        self,
        spec: StudySpec,
        store: StudyStore,
        results_dir: Path,
        start_workers: Callable[[], Executor],
        *,
        cost_s: Callable[[Network], float],
        costs_measured: bool = True,
        limits: Limits,
        stop: Stop,
        versions: Mapping[str, str],
        notices: Sequence[str] = (),
        resume_command: str = "psa reproduce run",
    ) -> None:
        """Prepare a session; nothing is done before ``run``.

        Args:
            cost_s: predicts the seconds of one trial's meta-loop on one worker, if need be by a guess.
            versions: what this session trains with, for its row in the database.
            notices: what a user must know before trusting the numbers.
            resume_command: what goes on with the study once this session is over.
        """
        self._spec, self._store, self._stop, self._limits = spec, store, stop, limits
        self._folder, self._lock = study_folder(results_dir, spec.name), study_lock(results_dir, spec.name)
        self._start_workers, self._cost_s, self._costs_measured = start_workers, cost_s, costs_measured
        self._versions, self._notices, self._resume_command = dict(versions), tuple(notices), resume_command
        self._tally = Tally([variant.name for variant in spec.variants])
        self._queue = WorkQueue([])
        self._session = 0
        self._started = time.monotonic()

    def run(self) -> Iterator[StudyEvent]:
        """Work until all is complete, or a limit or a request ends it; the last event says which.

        Raises:
            ConfigError: another process works on this study.
            CheckpointError, HistoryError: a disk that is full or read-only; what was recorded is intact.
        """
        self._files = PartFiles(self._folder, self._resume_command)
        with self._alone():
            enter_study(self._store, self._spec)
            rows = self._store.trials(self._spec.name)
            self._tally.add(rows)
            self._queue.waiting, complete = divide_work(self._spec, rows, self._cost_s, self._limits)
            for part in complete:
                # A kill may come after a part was recorded as complete and before its state was removed.
                self._files.write(part, None)
            executor = self._start_workers()
            self._session = self._store.begin_session(
                self._spec.name, len(executor.workers), platform.node(), self._versions
            )
            try:
                yield self._begin(executor, resumed=bool(rows))
                for shape in self._tally.bounties:
                    yield self._finished(shape, None, self._tally.complete_trials(shape))
                yield from self._work(executor)
                yield self._end()
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
            with locked(self._lock, "--results-dir"):
                yield
        except LockedError:
            raise ConfigError(
                f"study {self._spec.name} is being run by another process; psa reproduce status shows it, "
                "--study keeps several apart"
            ) from None

    def _begin(self, executor: Executor, resumed: bool) -> StudyStarted:
        spec = self._spec
        return StudyStarted(
            study=spec.name,
            resumed=resumed,
            quick=spec.quick,
            shapes=tuple(network.short_name for network in spec.networks),
            depths=tuple(network.depth for network in spec.networks),
            widths=tuple(network.width for network in spec.networks),
            modes=tuple(variant.name for variant in spec.variants),
            trials=spec.trials,
            meta_loops=spec.meta_loops,
            seed=spec.seed,
            dataset=spec.dataset,
            workers=len(executor.workers),
            costs_s=tuple(self._cost_s(network) for network in spec.networks),
            costs_measured=self._costs_measured,
            notices=self._notices,
            network=spec.family,
        )

    def _work(self, executor: Executor) -> Iterator[StudyEvent]:
        queue = self._queue
        while queue.waiting or queue.working:
            if self._stop_reason is not None:
                yield from self._drain(executor)
                return
            for worker in executor.workers:
                if worker not in queue.working and queue.waiting:
                    yield self._hand_out(executor, worker)
            yield from self._record(executor.messages(_POLL_S))

    @property
    def _stop_reason(self) -> str | None:
        """Why no more work is to be done in this session."""
        if self._stop.reason is not None:
            return self._stop.reason
        if time.monotonic() - self._started >= self._limits.max_hours * 3600:
            return f"--max-hours {self._limits.max_hours:g} are over"
        return None

    def _hand_out(self, executor: Executor, worker: str) -> CellStarted:
        work = self._queue.take(worker)
        executor.submit(worker, work.part, self._files.read(work.part))
        return CellStarted(
            shape=work.part.network.short_name,
            worker=worker,
            trials=work.part.trials,
            meta_loop=work.meta_loop,
            attempt=work.attempts,
        )

    def _record(self, messages: Sequence[Message]) -> list[StudyEvent]:
        """Persist what ``messages`` say, then put it into events."""
        steps = [message for message in messages if isinstance(message, PartProgress)]
        loops = [loop for step in steps for loop in step.loops]
        # Of several messages of one part the last has the trials as they stand.
        latest = {(row.architecture, row.mode, row.trial): row for step in steps for row in step.trials}
        if loops or latest:
            self._store.put(self._spec.name, latest.values(), loops, self._session)
        self._tally.add(latest.values())
        for step in steps:
            if step.done or step.state is not None:
                self._files.write(step.part, None if step.done else step.state)
        return [event for message in messages for event in self._events(message)]

    def _events(self, message: Message) -> Iterator[StudyEvent]:
        if isinstance(message, PartProgress):
            yield from self._progressed(message)
        elif isinstance(message, PartFailed):
            yield self._fail(message.worker, message.cause, message.permanent)
        elif isinstance(message, WorkerDied):
            yield WorkerLost(worker=message.worker, cause=message.cause)
            if message.worker in self._queue.working:
                yield self._fail(message.worker, message.cause, permanent=False)
        elif isinstance(message, StudyNote):
            yield message
        elif isinstance(message, WorkerStopped):
            self._queue.release(message.worker)

    def _progressed(self, step: PartProgress) -> Iterator[StudyEvent]:
        shape, trials = step.part.network.short_name, step.part.trials
        work = self._queue.working.get(step.worker)
        if work is not None:
            work.meta_loop = step.meta_loop
        yield CellProgressed(
            shape=shape,
            worker=step.worker,
            trials=trials,
            meta_loop=step.meta_loop,
            loop_share=step.loop_fraction,
            loop_s=step.loop_s,
            bounties=step.bounties,
        )
        if step.done:
            self._queue.release(step.worker)
            yield self._finished(shape, step.worker, trials)

    def _finished(self, shape: str, worker: str | None, trials: tuple[int, ...]) -> CellFinished:
        return CellFinished(shape=shape, worker=worker, trials=trials, means=self._tally.means(shape))

    def _fail(self, worker: str, cause: str, permanent: bool) -> CellFailed:
        """Try a part again, or mark its trials failed."""
        work, final = self._queue.fail(worker, permanent)
        if final:
            name = self._spec.name
            self._store.put(name, failed_rows(self._spec, work.part, self._store.trials(name), cause))
        return CellFailed(
            shape=work.part.network.short_name,
            worker=worker,
            trials=work.part.trials,
            attempt=work.attempts,
            cause=cause,
            final=final,
        )

    def _drain(self, executor: Executor) -> Iterator[StudyEvent]:
        """Let the workers hand over what they have."""
        yield StudyNote(text=f"stopping ({self._stop_reason}): the workers hand over what they have")
        executor.stop()
        deadline = time.monotonic() + _DRAIN_S
        while self._queue.working and (left := deadline - time.monotonic()) > 0:
            yield from self._record(executor.messages(min(left, _POLL_S)))

    def _end(self) -> StudyFinished:
        rows = self._store.trials(self._spec.name)
        outcome, reason = self._outcome(rows)
        self._store.end_session(self._spec.name, self._session, outcome, reason)
        return StudyFinished(
            outcome=outcome,
            reason=reason,
            complete=sum(row.state == COMPLETE for row in rows),
            failed=sum(row.state == FAILED for row in rows),
            seconds=time.monotonic() - self._started,
            go_on=self._resume_command,
        )

    def _outcome(self, rows: Sequence[TrialRow]) -> tuple[StudyOutcome, str]:
        spec = self._spec
        if sum(row.state == COMPLETE for row in rows) == len(spec.networks) * len(spec.variants) * spec.trials:
            return StudyOutcome.FINISHED, ""
        if self._stop_reason is not None:
            return StudyOutcome.STOPPED, self._stop_reason
        if any(row.state == FAILED for row in rows):
            return StudyOutcome.INCOMPLETE, ""
        return StudyOutcome.STOPPED, "--max-params leaves the larger shapes"
