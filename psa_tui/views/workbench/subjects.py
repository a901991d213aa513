"""A run, or a trial of a study, as the workbench shows it: its curve, its facts, its loops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from rich.text import Text

from psa_tui.errors import HistoryError
from psa_tui.formatting import duration, percent, printable
from psa_tui.method.events import Outcome
from psa_tui.method.layer_names import LayerNames
from psa_tui.networks import Network
from psa_tui.runs.history import details_of
from psa_tui.runs.stored_loops import network_of
from psa_tui.storage.meta_loops import MetaLoopRow
from psa_tui.storage.run_store import read_runs
from psa_tui.storage.study_rows import COMPLETE, FAILED, RUNNING, TrialRow
from psa_tui.storage.study_store import read_store
from psa_tui.views.display import ChartWindow
from psa_tui.views.run_text import format_sessions, run_facts
from psa_tui.views.workbench.charts import Curve, curve_of, run_chart, run_legend
from psa_tui.views.workbench.palette import Palette

_KEPT = 32
"""Subjects that are not read again while they stay as they are."""


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """What was trained, read once."""

    title: str
    state: str
    """How far it came, or that it goes on; empty where it has come to its end."""
    facts: Sequence[tuple[str, str]]
    sessions: Sequence[str]
    loops: Sequence[MetaLoopRow]
    curve: Curve
    network: Network | None
    """None where its family or its data set is not installed."""
    nothing: str
    """What is said while there is no loop: that none is done yet, or why none will be."""

    def heading(self, names: Sequence[str]) -> list[str]:
        """Return the state and those facts of ``names`` that it does not tell already."""
        facts = dict(self.facts)
        return [
            self.state,
            *(f"{name} {facts[name]}" for name in names if name in facts and facts[name] not in self.state),
        ]

    @property
    def unit_counts(self) -> Sequence[int]:
        """Of each layer, the output layer last; empty where that is not known."""
        return () if self.network is None else self.network.unit_counts

    @property
    def names(self) -> LayerNames:
        """What its layers are called."""
        return LayerNames() if self.network is None else self.network.names


def draw_curve(subject: Subject, width: int, height: int, palette: Palette, window: ChartWindow) -> tuple[Text, Text]:
    """Draw the curve, and say what its marks mean; where there is no loop, only why."""
    if not len(subject.loops):
        return Text(printable(subject.nothing), palette.muted), Text()
    return run_chart(subject.curve, width, height, palette, window), run_legend(subject.curve, palette)


@lru_cache(maxsize=_KEPT)
def read_run(results_dir: Path, run: str, updated_at: str) -> Subject:
    """Return a run; ``updated_at`` tells a later state of it from an earlier.

    Raises:
        HistoryError: the history cannot be read, or no longer has it.
    """
    with read_runs(results_dir) as store:
        row = None if store is None else store.run(run)
        if store is None or row is None:
            raise HistoryError(f"run {run} is no longer in the history in {results_dir}")
        details = details_of(store, row)
    return Subject(
        title=row.name or run,
        state=_state(details.row.state, row.meta_loop, row.last_meta_loop),
        facts=run_facts(details),
        sessions=format_sessions(details),
        loops=details.loops,
        curve=curve_of(details.loops),
        network=network_of(row),
        nothing=_without_loops(row.state == Outcome.FAILED, row.reason),
    )


def read_trial(results_dir: Path, study: str, trial: TrialRow, network: Network | None) -> Subject:
    """Return a trial of a study.

    Raises:
        HistoryError: the history cannot be read.
    """
    with read_store(results_dir) as store:
        found = None if store is None else store.study(study)
        meta_loops = None if found is None else found.meta_loops
        loops = [] if store is None else store.loops_of_trial(study, trial.architecture, trial.mode, trial.trial)
    return Subject(
        title=f"{study}: {trial.architecture} {trial.mode} {trial.trial}",
        state=_state(trial.state, trial.meta_loop, meta_loops),
        facts=_facts(trial, meta_loops),
        sessions=(),
        loops=loops,
        curve=curve_of(loops),
        network=network,
        nothing=_without_loops(trial.state == FAILED, trial.reason),
    )


def _without_loops(has_failed: bool, reason: str) -> str:
    return f"failed before its first loop was done: {reason}" if has_failed else "no loop yet"


def _state(state: str, done: int | None, last: int | None) -> str:
    if state in (COMPLETE, Outcome.FINISHED):
        return ""
    return state if state == RUNNING or done is None else f"{state} after loop {_of(done, last)}"


def _of(done: int, last: int | None) -> str:
    return f"{done}" if last is None else f"{done} of {last}"


def _facts(trial: TrialRow, meta_loops: int | None) -> list[tuple[str, str]]:
    best = "none yet" if trial.bounty is None else f"{percent(trial.bounty)} at meta-loop {trial.bounty_meta_loop}"
    dead = "not known" if trial.lkg_dead is None else f"{trial.lkg_dead} dead, {trial.lkg_inactive} never active"
    return [
        ("trial", f"{trial.trial}, {trial.state}"),
        *([("reason", trial.reason)] if trial.reason else []),
        ("architecture", f"{trial.architecture}, {trial.parameters:,} parameters"),
        ("mode", trial.mode),
        ("seed", "not known" if trial.seed is None else str(trial.seed)),
        ("meta-loops", "not known" if trial.meta_loop is None else _of(trial.meta_loop, meta_loops)),
        ("bounty", best),
        ("test accuracy", percent(trial.test_accuracy)),
        ("hidden units", dead),
        ("time", duration(trial.seconds)),
        ("trained on", trial.origin or "not known"),
    ]
