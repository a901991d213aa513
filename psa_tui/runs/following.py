"""A run that goes on in another process, as the events its history amounts to. Only reads; no torch.

The history tells a loop when it is done, so between two loops there is nothing to tell: the events
``UnitsAblated`` and ``EpochProgressed`` do not come.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import nan
from pathlib import Path
from typing import Any

from psa_tui.data import DATASETS, is_substitute
from psa_tui.errors import HistoryError
from psa_tui.method.dead_units import DeadUnits
from psa_tui.method.events import (
    Event,
    MetaLoopFinished,
    Outcome,
    RunFinished,
    RunStarted,
    SettingChange,
    UnitsAblated,
    Verdict,
)
from psa_tui.method.hyperparameters import Hyperparameters
from psa_tui.method.progress import Progress
from psa_tui.method.promotion import Decision
from psa_tui.method.variants import describe_variant
from psa_tui.runs.record import half_notices
from psa_tui.runs.resuming import holds_run, resume_command
from psa_tui.runs.setting_changes import change_notices, stored_changes
from psa_tui.runs.stored_loops import earlier_loops, last_dead_units, majority_of, network_of
from psa_tui.storage.locks import holder
from psa_tui.storage.meta_loops import MetaLoopRow
from psa_tui.storage.run_store import RunRow, RunStore

INTERRUPTED = "an interruption"


@dataclass(frozen=True, slots=True)
class TimedEvent:
    """An event and how long ago it happened."""

    event: Event
    age_s: float


class Following:
    """What is new in one run each time it is asked."""

    def __init__(self, store: RunStore, run: str, results_dir: Path, *, recent: int) -> None:
        """Nothing is told yet. Of the loops before the first ``poll`` only ``recent`` come one by one."""
        self._store, self.run, self._results_dir, self._recent = store, run, results_dir, recent
        self._session: dict[str, Any] = {}
        self._trainer: str | None = None
        self.name: str | None = None
        """What the run is called, besides its identifier."""
        self.progress = Progress(validation_count=0)
        """Where the run stands, as far as it was told."""
        self.finished: RunFinished | None = None
        """How the run ended; None while it goes on, and again when it is resumed."""

    def poll(self) -> Iterator[TimedEvent]:
        """Tell what has happened since the last time, in order.

        A session that begins comes as ``RunStarted`` and ``EarlierLoops``, which make all that was told before void.

        Raises:
            HistoryError: the history cannot be read, or no longer has the run.
        """
        # In this order, because a session begins before its run's row tells of it, and a loop before it ends.
        sessions, row = self._store.sessions(self.run), self._row()
        is_alive = row.state == "running" and self._is_alive(row)
        if row.state == "running" and not is_alive:
            # It may have ended in good order, or gone on, since the row was read.
            row = self._row()
            is_alive = row.state == "running" and self._is_alive(row)
        if sessions[-1]["session"] != self._session.get("session"):
            self._session, self.finished = sessions[-1], None
            yield from self._begin(row)
        else:
            yield from self._loops(row, self._store.loops(self.run, self.progress.meta_loop))
        if self.finished is None and not is_alive and row.meta_loop <= self.progress.meta_loop:
            ended_at = self._store.sessions(self.run)[-1]["ended_at"] or row.updated_at
            self.finished = self._end(row)
            yield TimedEvent(self.finished, _age_s(ended_at))

    def _row(self) -> RunRow:
        row = self._store.run(self.run)
        if row is None:
            raise HistoryError(f"run {self.run} is no longer in the history in {self._results_dir}")
        self.name = row.name
        return row

    def _is_alive(self, row: RunRow) -> bool:
        """Whether a process works on the run; the checkpoint is read once a process, as it may be another run's."""
        path = Path(row.checkpoint)
        process = holder(path)
        if process is not None and process != self._trainer and not holds_run(path, row.run):
            process = None
        self._trainer = process
        return process is not None

    def _begin(self, row: RunRow) -> Iterator[TimedEvent]:
        """The session so far."""
        done = self._session["after_meta_loop"]
        known = earlier = 0
        dead_units: DeadUnits | None = None
        self.progress = Progress(validation_count=self._splits(row)[1])
        for batch in self._store.loop_batches(self.run):
            if not known:
                self.progress = Progress(validation_count=batch[0].validation_count)
            known += len(batch)
            for loop in batch:
                if loop.meta_loop <= done:
                    earlier += 1
                    self.progress = _after(self.progress, loop)
                    dead_units = last_dead_units([loop], dead_units)
        self.progress = replace(self.progress, meta_loop=done)
        if self.progress.lkg_correct is None and row.bounty is not None and row.bounty_meta_loop <= done:
            # The loop that made the LKG is one that the history lacks.
            self.progress = _with_counters_of(row, self.progress)
        age_s = _age_s(self._session["started_at"])
        yield TimedEvent(replace(self._start(row, done - earlier), dead_units=dead_units), age_s)
        yield from self._sum_up(row, max(earlier, known - self._recent), done, age_s)

    def _sum_up(self, row: RunRow, count: int, done: int, age_s: float) -> Iterator[TimedEvent]:
        """The first ``count`` loops in few events, the others one by one; those up to ``done`` are in the progress."""
        if not count:
            yield TimedEvent(earlier_loops([]), age_s)
        recent: list[MetaLoopRow] = []
        before: MetaLoopRow | None = None
        for batch in self._store.loop_batches(self.run):
            first, count = batch[:count], count - len(batch[:count])
            recent += batch[len(first) :]
            for loop in first:
                if loop.meta_loop > done:
                    self.progress = _after(self.progress, loop)
            if first:
                yield TimedEvent(earlier_loops(first, before), age_s)
                before = first[-1]
        yield from self._loops(row, recent)

    def _loops(self, row: RunRow, loops: list[MetaLoopRow]) -> Iterator[TimedEvent]:
        """The loops one by one: the last was written when the row was, the others as long before as loops took."""
        newest = _age_s(row.updated_at)
        ages = list(itertools.accumulate((loop.seconds or 0.0 for loop in reversed(loops)), initial=newest))
        for loop, age_s in zip(loops, reversed(ages[:-1]), strict=True):
            before = self.progress
            self.progress = _after(before, loop)
            yield TimedEvent(_finished_loop(row, loop, before, self.progress), age_s)

    def _start(self, row: RunRow, lacking: int) -> RunStarted:
        train, validation, test = self._splits(row)
        notices = []
        if is_substitute(row.dataset, row.dataset_requested):
            notices.append(f"this run trains on {row.dataset}, NOT the full set: its accuracies do not compare with it")
        if lacking:
            notices.append(f"the history in {self._results_dir} lacks {lacking} earlier meta-loops of this run")
        first = self._session["after_meta_loop"] + 1
        changes = tuple(one for one in self._changes(row) if one.meta_loop <= first)
        notices += [*change_notices(changes, first), *half_notices(describe_variant(row.mode))]
        network = network_of(row)
        return RunStarted(
            run=row.run,
            name=row.name,
            resumed=self._session["after_meta_loop"] > 0,
            network=row.network,
            architecture=row.architecture,
            parameters=row.parameters,
            unit_counts=() if network is None else tuple(network.unit_counts),
            layer_names=() if network is None else tuple(network.layer_names),
            unit_kinds=() if network is None else tuple(network.unit_kinds),
            blocks=() if network is None else tuple(network.blocks()),
            mode=row.mode,
            hyperparameters=Hyperparameters.from_json(self._session),
            seed=row.seed,
            initialisation_seed=row.initialisation_seed,
            dataset=row.dataset,
            dataset_fingerprint=row.dataset_fingerprint,
            train_count=train,
            validation_count=validation,
            test_count=test,
            majority_class_accuracy=majority_of(row),
            device=self._session["device"],
            threads=self._session["threads"],
            backend=self._session["backend"],
            checkpoint=row.checkpoint,
            last_meta_loop=row.last_meta_loop,
            progress=self.progress,
            notices=tuple(notices),
            setting_changes=changes,
        )

    def _changes(self, row: RunRow) -> tuple[SettingChange, ...]:
        """Those of the run; with a mode that is in force and has done no loop yet."""
        modes = self._store.modes(row.run)
        if not modes or modes[-1][1] != row.mode:
            modes.append((row.meta_loop + 1, row.mode))
        return stored_changes(self._store.sessions(row.run), modes)

    def _splits(self, row: RunRow) -> tuple[int, int, int]:
        """Images for training, validation and test; an earlier version did not record them."""
        spec = DATASETS.get(row.dataset)
        known = (0, 0, 0) if spec is None else (spec.train_count, spec.validation_count, spec.test_count)
        recorded = (row.train_count, row.validation_count, row.test_count)
        train, validation, test = (a if a is not None else b for a, b in zip(recorded, known, strict=True))
        return train, validation, test

    def _end(self, row: RunRow) -> RunFinished:
        was_killed = row.state == "running"
        return RunFinished(
            run=row.run,
            outcome=Outcome.STOPPED if was_killed else Outcome(row.state),
            reason=INTERRUPTED if was_killed else row.reason,
            last_meta_loop=row.last_meta_loop,
            progress=self.progress,
            test_accuracy=row.test_accuracy,
            seconds=self._store.seconds(self.run),
            resume_command=resume_command(Path(row.checkpoint).parent, self._results_dir, row.name),
            setting_changes=self._changes(row),
        )


def _after(progress: Progress, loop: MetaLoopRow) -> Progress:
    """Return the counters after one more loop; what was decided is recorded, and counted where the engine counts."""
    decision = Decision(loop.verdict == Verdict.PROMOTED, loop.reason)
    counts = loop.meta_loop, loop.validation_correct
    after = progress.after(*counts, decision, finite=loop.finite, promoting=loop.promoting_correct)
    after = replace(after, lkg_dead=loop.lkg_dead, lkg_inactive=loop.lkg_inactive)
    if not decision.promoted or loop.lkg_correct is None or loop.lkg_meta_loop is None:
        return after
    # A rule may have promoted an earlier candidate, which it held.
    worse = progress.lkg_correct is not None and loop.lkg_correct < progress.lkg_correct
    return replace(
        after,
        lkg_correct=loop.lkg_correct,
        lkg_meta_loop=loop.lkg_meta_loop,
        accepted_worse=progress.accepted_worse + worse,
    )


def _with_counters_of(row: RunRow, progress: Progress) -> Progress:
    """Return ``progress`` with the best and the LKG that the run's own row knows of."""
    count = progress.validation_count
    assert row.bounty is not None
    progress = replace(progress, best_correct=round(row.bounty * count), best_meta_loop=row.bounty_meta_loop)
    if row.lkg_accuracy is None:
        return progress
    correct = round(row.lkg_accuracy * count)
    progress = replace(progress, lkg_dead=row.lkg_dead, lkg_inactive=row.lkg_inactive)
    return replace(progress, lkg_correct=correct, lkg_meta_loop=row.lkg_meta_loop)


def _finished_loop(row: RunRow, loop: MetaLoopRow, before: Progress, after: Progress) -> MetaLoopFinished:
    correct, count = loop.validation_correct, loop.validation_count
    return MetaLoopFinished(
        member=0,
        meta_loop=loop.meta_loop,
        mode=loop.mode,
        verdict=Verdict(loop.verdict),
        finite=loop.finite,
        validation_correct=correct,
        validation_accuracy=loop.validation_accuracy,
        gain=None if before.lkg_correct is None else (correct - before.lkg_correct) / count,
        train_loss=nan if loop.train_loss is None else loop.train_loss,
        seconds=loop.seconds or 0.0,
        ablation=_ablation(row, loop),
        progress=after,
        reason=loop.reason,
        dead_units=loop.dead_units,
        promoting_correct=loop.promoting_correct,
        train_accuracy=loop.train_accuracy,
    )


def _ablation(row: RunRow, loop: MetaLoopRow) -> UnitsAblated | None:
    if not loop.ablations:
        return None
    network = network_of(row)
    layers = 0 if network is None else len(network.unit_counts)
    return UnitsAblated(member=0, meta_loop=loop.meta_loop, mode=loop.mode, layers=layers, units=loop.ablations)


def _age_s(moment: str) -> float:
    return max((datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds(), 0.0)
