"""A run that goes on in another process, as the events its history amounts to. Only reads; no torch.

The history tells a loop when it is done, so between two loops there is nothing to tell: the events
``NeuronAblated`` and ``EpochProgressed`` do not come.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import nan
from pathlib import Path
from typing import Any

from psa_tui.errors import HistoryError
from psa_tui.method.events import (
    EarlierLoops,
    Event,
    MetaLoopFinished,
    NeuronAblated,
    Outcome,
    Progress,
    RunFinished,
    RunStarted,
    Verdict,
)
from psa_tui.method.variants import AblationMode
from psa_tui.networks.mlp import CLASSES, INPUTS, parse_architecture
from psa_tui.runs.resuming import holds_run, resume_command
from psa_tui.storage.locks import holder
from psa_tui.storage.run_store import History, RunRow

INTERRUPTED = "an interruption"
_SPLITS = {"mnist5k": (4_000, 500, 500)}
_FULL_SPLITS = (50_000, 10_000, 10_000)
"""Images for training, validation and test, by data set; those of all that are downloaded."""
MAJORITIES = {
    "4c47a1418865f9415c60c85e8e887cc596fb640ef7ffb0e0449c640a891c5e06": 0.1240,  # mnist5k
    "516c452a902a1257f0ebde80b0fa706ae617a6554da3a5312506bec86c8fb4b3": 0.1102,  # mnist
}
"""The validation images' majority-class accuracy by the data's fingerprint: a constant, and loading takes seconds."""


@dataclass(frozen=True, slots=True)
class Seen:
    """An event and how long ago it happened."""

    event: Event
    age_s: float


class Following:
    """What is new in one run each time it is asked."""

    def __init__(self, history: History, run: str, results_dir: Path, *, recent: int) -> None:
        """Nothing is told yet. Of the loops before the first ``poll`` only ``recent`` come one by one."""
        self._history, self.run, self._results_dir, self._recent = history, run, results_dir, recent
        self._session: dict[str, Any] = {}
        self._trainer: str | None = None
        self.progress = Progress(validation_count=0)
        """Where the run stands, as far as it was told."""
        self.finished: RunFinished | None = None
        """How the run ended; None while it goes on, and again when it is resumed."""

    def poll(self) -> Iterator[Seen]:
        """Tell what has happened since the last time, in order.

        A session that begins comes as ``RunStarted`` and ``EarlierLoops``, which make all that was told before void.

        Raises:
            HistoryError: the history cannot be read, or no longer has the run.
        """
        # In this order, because a session begins before its run's row tells of it, and a loop before it ends.
        sessions, row = self._history.sessions(self.run), self._row()
        is_alive = row.state == "running" and self._is_alive(row)
        if row.state == "running" and not is_alive:
            # It may have ended in good order, or gone on, since the row was read.
            row = self._row()
            is_alive = row.state == "running" and self._is_alive(row)
        if sessions[-1]["session"] != self._session.get("session"):
            self._session, self.finished = sessions[-1], None
            yield from self._begin(row)
        else:
            yield from self._loops(row, self._history.loops(self.run, self.progress.meta_loop))
        if self.finished is None and not is_alive and row.meta_loop <= self.progress.meta_loop:
            ended_at = self._history.sessions(self.run)[-1]["ended_at"] or row.updated_at
            self.finished = self._end(row, ended_at)
            yield Seen(self.finished, _age_s(ended_at))

    def _row(self) -> RunRow:
        row = self._history.run(self.run)
        if row is None:
            raise HistoryError(f"run {self.run} is no longer in the history in {self._results_dir}")
        return row

    def _is_alive(self, row: RunRow) -> bool:
        """Whether a process works on the run; the checkpoint is read once a process, as it may be another run's."""
        path = Path(row.checkpoint)
        process = holder(path)
        if process is not None and process != self._trainer and not holds_run(path, row.run):
            process = None
        self._trainer = process
        return process is not None

    def _begin(self, row: RunRow) -> Iterator[Seen]:
        """The session so far."""
        loops = self._history.loops(self.run)
        done = self._session["after_meta_loop"]
        earlier = [loop for loop in loops if loop["meta_loop"] <= done]
        self.progress = Progress(validation_count=loops[0]["validation_count"] if loops else self._splits(row)[1])
        for loop in earlier:
            self.progress = _after(self.progress, loop)
        self.progress = replace(self.progress, meta_loop=done)
        if self.progress.lkg_correct is None and row.bounty is not None and row.bounty_meta_loop <= done:
            # The loop that made the LKG is one that the history lacks.
            correct = round(row.bounty * self.progress.validation_count)
            self.progress = replace(self.progress, lkg_correct=correct, lkg_meta_loop=row.bounty_meta_loop)
        yield Seen(self._start(row, done - len(earlier)), _age_s(self._session["started_at"]))
        told = max(len(earlier), len(loops) - self._recent)
        for loop in loops[len(earlier) : told]:
            self.progress = _after(self.progress, loop)
        yield Seen(_earlier_loops(loops[:told]), _age_s(self._session["started_at"]))
        yield from self._loops(row, loops[told:])

    def _loops(self, row: RunRow, loops: list[dict[str, Any]]) -> Iterator[Seen]:
        """The loops one by one: the last was written when the row was, the others as long before as loops took."""
        newest = _age_s(row.updated_at)
        ages = list(itertools.accumulate((loop["seconds"] for loop in reversed(loops)), initial=newest))
        for loop, age_s in zip(loops, reversed(ages[:-1]), strict=True):
            before = self.progress
            self.progress = _after(before, loop)
            yield Seen(_finished_loop(row, loop, before, self.progress), age_s)

    def _start(self, row: RunRow, lacking: int) -> RunStarted:
        train, validation, test = self._splits(row)
        notices = []
        if row.dataset != row.dataset_requested:
            notices.append(f"this run trains on {row.dataset}, NOT the full set: its accuracies do not compare with it")
        if lacking:
            notices.append(f"the history in {self._results_dir} lacks {lacking} earlier meta-loops of this run")
        return RunStarted(
            run=row.run,
            resumed=self._session["after_meta_loop"] > 0,
            architecture=row.architecture,
            parameters=row.parameters,
            mode=AblationMode(row.mode),
            learning_rate=self._session["learning_rate"],
            batch_size=self._session["batch_size"],
            weight_decay=self._session["weight_decay"],
            dropout=self._session["dropout"],
            seed=row.seed,
            dataset=row.dataset,
            dataset_fingerprint=row.dataset_fingerprint,
            train_count=train,
            validation_count=validation,
            test_count=test,
            majority_class_accuracy=MAJORITIES.get(row.dataset_fingerprint),
            device=self._session["device"],
            threads=self._session["threads"],
            checkpoint=row.checkpoint,
            last_meta_loop=row.last_meta_loop,
            progress=self.progress,
            notices=tuple(notices),
        )

    def _splits(self, row: RunRow) -> tuple[int, int, int]:
        return _SPLITS.get(row.dataset, _FULL_SPLITS)

    def _end(self, row: RunRow, ended_at: str) -> RunFinished:
        was_killed = row.state == "running"
        began = datetime.fromisoformat(self._session["started_at"])
        return RunFinished(
            run=row.run,
            outcome=Outcome.STOPPED if was_killed else Outcome(row.state),
            reason=INTERRUPTED if was_killed else row.reason,
            last_meta_loop=row.last_meta_loop,
            progress=self.progress,
            test_accuracy=row.test_accuracy,
            seconds=(datetime.fromisoformat(ended_at) - began).total_seconds(),
            resume_command=resume_command(Path(row.checkpoint).parent, self._results_dir),
        )


def _after(progress: Progress, loop: dict[str, Any]) -> Progress:
    """The counters after one more loop."""
    promoted = loop["verdict"] == Verdict.PROMOTED
    return Progress(
        meta_loop=loop["meta_loop"],
        validation_count=loop["validation_count"],
        lkg_correct=loop["validation_correct"] if promoted else progress.lkg_correct,
        lkg_meta_loop=loop["meta_loop"] if promoted else progress.lkg_meta_loop,
        promotions=progress.promotions + promoted,
        rollbacks=progress.rollbacks + (not promoted),
        rollbacks_in_a_row=0 if promoted else progress.rollbacks_in_a_row + 1,
        non_finite=progress.non_finite + (not loop["finite"]),
    )


def _finished_loop(row: RunRow, loop: dict[str, Any], before: Progress, after: Progress) -> MetaLoopFinished:
    correct, count = loop["validation_correct"], loop["validation_count"]
    return MetaLoopFinished(
        member=0,
        meta_loop=loop["meta_loop"],
        mode=AblationMode(loop["mode"]),
        verdict=Verdict(loop["verdict"]),
        finite=bool(loop["finite"]),
        validation_correct=correct,
        validation_accuracy=correct / count,
        gain=None if before.lkg_correct is None else (correct - before.lkg_correct) / count,
        train_loss=nan if loop["train_loss"] is None else loop["train_loss"],
        seconds=loop["seconds"],
        ablation=_ablation(row, loop),
        progress=after,
    )


def _ablation(row: RunRow, loop: dict[str, Any]) -> NeuronAblated | None:
    layer = loop["ablated_layer"]
    if layer is None:
        return None
    widths = [INPUTS, *parse_architecture(row.architecture).hidden_widths(), CLASSES]
    mode = AblationMode(loop["mode"])
    return NeuronAblated(
        member=0,
        meta_loop=loop["meta_loop"],
        mode=mode,
        layer=layer,
        layers=len(widths) - 1,
        neuron=loop["ablated_neuron"],
        width=widths[layer + 1],
        incoming=widths[layer],
        outgoing=widths[layer + 2] if mode is AblationMode.HIDDEN else 0,
    )


def _earlier_loops(loops: list[dict[str, Any]]) -> EarlierLoops:
    return EarlierLoops(
        meta_loops=tuple(loop["meta_loop"] for loop in loops),
        validation_accuracies=tuple(loop["validation_correct"] / loop["validation_count"] for loop in loops),
        promoted=tuple(loop["verdict"] == Verdict.PROMOTED for loop in loops),
        ablated_layers=tuple(loop["ablated_layer"] for loop in loops),
        ablated_neurons=tuple(loop["ablated_neuron"] for loop in loops),
        train_losses=tuple(loop["train_loss"] for loop in loops),
    )


def _age_s(moment: str) -> float:
    return max((datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds(), 0.0)
