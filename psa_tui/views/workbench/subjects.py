"""A run, or a trial of a study, as the workbench shows it: its curve, its facts, its loops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from psa_tui.errors import HistoryError
from psa_tui.formatting import duration, percent
from psa_tui.method.layer_names import LayerNames
from psa_tui.networks import Network
from psa_tui.runs.history import details_of
from psa_tui.runs.stored_loops import network_of
from psa_tui.storage.meta_loops import MetaLoopRow
from psa_tui.storage.run_store import read_runs
from psa_tui.storage.study_rows import TrialRow
from psa_tui.storage.study_store import read_store
from psa_tui.views.run_text import format_sessions, run_facts
from psa_tui.views.workbench.charts import Curve, curve_of

_KEPT = 32
"""Subjects that are not read again while they stay as they are."""


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """What was trained, read once."""

    title: str
    facts: Sequence[tuple[str, str]]
    sessions: Sequence[str]
    loops: Sequence[MetaLoopRow]
    curve: Curve
    network: Network | None
    """None where its family or its data set is not installed."""

    @property
    def unit_counts(self) -> Sequence[int]:
        """Of each layer, the output layer last; empty where that is not known."""
        return () if self.network is None else self.network.unit_counts

    @property
    def names(self) -> LayerNames:
        """What its layers are called."""
        return LayerNames() if self.network is None else self.network.names


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
        facts=run_facts(details),
        sessions=format_sessions(details),
        loops=details.loops,
        curve=curve_of(details.loops),
        network=network_of(row),
    )


def read_trial(results_dir: Path, study: str, trial: TrialRow, network: Network | None) -> Subject:
    """Return a trial of a study.

    Raises:
        HistoryError: the history cannot be read.
    """
    with read_store(results_dir) as store:
        loops = [] if store is None else store.loops_of_trial(study, trial.architecture, trial.mode, trial.trial)
    return Subject(
        title=f"{study}: {trial.architecture} {trial.mode} {trial.trial}",
        facts=_facts(trial),
        sessions=(),
        loops=loops,
        curve=curve_of(loops),
        network=network,
    )


def _facts(trial: TrialRow) -> list[tuple[str, str]]:
    reason = f" ({trial.reason})" if trial.reason else ""
    best = "none yet" if trial.bounty is None else f"{percent(trial.bounty)} at meta-loop {trial.bounty_meta_loop}"
    dead = "not known" if trial.lkg_dead is None else f"{trial.lkg_dead} dead, {trial.lkg_inactive} never active"
    return [
        ("trial", f"{trial.trial}, {trial.state}{reason}"),
        ("architecture", f"{trial.architecture}, {trial.parameters:,} parameters"),
        ("mode", trial.mode),
        ("seed", "not known" if trial.seed is None else str(trial.seed)),
        ("meta-loops", "not known" if trial.meta_loop is None else str(trial.meta_loop)),
        ("bounty", best),
        ("test accuracy", percent(trial.test_accuracy)),
        ("hidden units", dead),
        ("time", duration(trial.seconds)),
        ("trained on", trial.origin or "not known"),
    ]
