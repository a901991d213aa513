"""Where a study stands, as its rows in the database tell, for any terminal at any time."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from psa_tui.errors import ConfigError
from psa_tui.formatting import did_you_mean
from psa_tui.networks import Network
from psa_tui.networks.modules.recorded import RecordedNetwork
from psa_tui.storage.study_rows import COMPLETE, FAILED, LOCAL, SessionRow, TrialRow
from psa_tui.storage.study_store import read_store
from psa_tui.studies.cost_model import CostModel, makespan_s
from psa_tui.studies.parts import parts_of
from psa_tui.studies.spec import StudySpec

_TOLD = 10
"""Shapes tell the time of others up to so many times their parameters: the time of a tiny one is mostly overhead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellProgress:
    """The trials of one mode at one shape."""

    shape: str
    mode: str
    trials: int
    """All that the study wants."""
    complete: int
    failed: int
    meta_loops: int
    """Meta-loops done, of all trials."""
    mean: float | None
    """Mean of the complete trials' best validation accuracies; None where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Trials of a shape that failed for one cause."""

    shape: str
    trials: tuple[int, ...]
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyProgress:
    """Where a study stands."""

    spec: StudySpec
    cells: tuple[CellProgress, ...]
    """By shape and mode, in the study's order."""
    failures: tuple[Failure, ...]
    sessions: tuple[SessionRow, ...]
    seconds_left: float | None
    """At the pace so far, on the workers of the last session; None before there is a pace, and ``untimed``."""
    untimed: str | None = None
    """The largest shape that is left, where only far smaller ones were timed: they tell nothing of its time."""

    @property
    def complete(self) -> int:
        """Complete trials."""
        return sum(cell.complete for cell in self.cells)

    @property
    def failed(self) -> int:
        """Trials that failed."""
        return sum(cell.failed for cell in self.cells)

    @property
    def trials(self) -> int:
        """All trials the study wants."""
        return sum(cell.trials for cell in self.cells)

    def as_json(self) -> dict[str, Any]:
        """Return the progress as JSON-ready values."""
        return {
            "schema": 1,
            "study": self.spec.as_settings(),
            "quick": self.spec.quick,
            "trials": self.trials,
            "complete": self.complete,
            "failed": self.failed,
            "seconds_left": self.seconds_left,
            "cells": [asdict(cell) for cell in self.cells],
            "failures": [asdict(failure) for failure in self.failures],
            "sessions": [asdict(session) for session in self.sessions],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedStudy:
    """A study in a list."""

    study: str
    source: str
    """``local`` or ``fetched``."""
    quick: bool
    shapes: int
    modes: int
    trials: int
    """Of all cells that it wants, or that were fetched."""
    complete: int
    failed: int
    created_at: str
    updated_at: str

    def as_json(self) -> dict[str, Any]:
        """Return the fields as JSON-ready values."""
        return asdict(self)


def list_studies(results_dir: Path) -> list[ListedStudy]:
    """Return the studies of a results folder, those worked on last first.

    Raises:
        HistoryError: the database cannot be read.
    """
    with read_store(results_dir) as store:
        listed = []
        for row in [] if store is None else store.studies():
            assert store is not None
            trials = store.trials(row.study)
            cells = {(one.architecture, one.mode) for one in trials}
            shapes = row.settings.get("shapes") or sorted({shape for shape, _ in cells})
            modes = row.settings.get("modes") or sorted({mode for _, mode in cells})
            listed.append(
                ListedStudy(
                    study=row.study,
                    source=row.source,
                    quick=row.quick,
                    shapes=len(shapes),
                    modes=len(modes),
                    trials=len(shapes) * len(modes) * (row.trials or 0) if row.source == LOCAL else len(trials),
                    complete=sum(one.state == COMPLETE for one in trials),
                    failed=sum(one.state == FAILED for one in trials),
                    created_at=row.created_at,
                    updated_at=row.updated_at,
                )
            )
        return sorted(listed, key=lambda one: one.updated_at, reverse=True)


def load_progress(results_dir: Path, name: str | None, default: str | None = None) -> StudyProgress:
    """Return where the study called ``name`` stands, or ``default``, or the only one there is; it may be under way.

    Raises:
        ConfigError: no study of that name was begun there, or none is named and there are several.
        HistoryError: the database cannot be read.
    """
    with read_store(results_dir) as store:
        rows = [] if store is None else [row for row in store.studies() if row.source == LOCAL]
        wanted = default if name is None else name
        found = next((row for row in rows if row.study == wanted), None)
        if found is None and name is None and len(rows) == 1:
            (found,) = rows
        if store is None or found is None:
            raise ConfigError(_not_found(results_dir, name, [row.study for row in rows]))
        spec = StudySpec.from_settings(found.settings, to_show=True)
        return study_progress(spec, store.trials(spec.name), store.sessions(spec.name))


def _not_found(results_dir: Path, name: str | None, begun: Sequence[str]) -> str:
    named = "" if name is None else f" {name[:80]!r}"
    if not begun:
        return f"no study{named} was begun in {results_dir}; psa study run or psa reproduce run begins one"
    if name is None:
        named = f"psa study status {begun[0]}, or --study {begun[0]} with psa reproduce"
        return f"say which study is meant, as in {named}; begun there: {', '.join(begun)}"
    return f"no study{named} was begun in {results_dir}; begun there: {', '.join(begun)}{did_you_mean(name, begun)}"


def study_progress(spec: StudySpec, rows: Sequence[TrialRow], sessions: Sequence[SessionRow]) -> StudyProgress:
    """Return where the study ``spec`` stands, given all its rows."""
    by_cell: dict[tuple[str, str], list[TrialRow]] = {}
    for row in rows:
        by_cell.setdefault((row.architecture, row.mode), []).append(row)
    cells = tuple(
        _cell(spec, *cell, by_cell.get(cell, []))
        for cell in ((network.short_name, variant.name) for network in spec.networks for variant in spec.variants)
    )
    causes: dict[tuple[str, str], set[int]] = {}
    for row in rows:
        if row.state == FAILED:
            causes.setdefault((row.architecture, row.reason), set()).add(row.trial)
    untimed = _untimed(spec, rows)
    return StudyProgress(
        spec=spec,
        cells=cells,
        failures=tuple(
            Failure(shape=shape, trials=tuple(sorted(trials)), cause=cause) for (shape, cause), trials in causes.items()
        ),
        sessions=tuple(sessions),
        seconds_left=None if untimed else _seconds_left(spec, rows, sessions[-1].workers if sessions else 1),
        untimed=untimed,
    )


def _cell(spec: StudySpec, shape: str, mode: str, rows: list[TrialRow]) -> CellProgress:
    bounties = [row.bounty for row in rows if row.state == COMPLETE and row.bounty is not None]
    return CellProgress(
        shape=shape,
        mode=mode,
        trials=spec.trials,
        complete=sum(row.state == COMPLETE for row in rows),
        failed=sum(row.state == FAILED for row in rows),
        meta_loops=sum(row.meta_loop or 0 for row in rows),
        mean=sum(bounties) / len(bounties) if bounties else None,
    )


def _untimed(spec: StudySpec, rows: Sequence[TrialRow]) -> str | None:
    """Return the largest shape that is left where the timed ones are too small to tell of it; None elsewhere."""
    sizes = {network.short_name: network.parameters for network in spec.networks if _has_sizes(network)}
    largest = max((sizes.get(row.architecture, 0) for row in rows if row.meta_loop and row.seconds > 0), default=0)
    settled = Counter(row.architecture for row in rows if row.state in (COMPLETE, FAILED))
    left = [shape for shape in sizes if settled[shape] < len(spec.variants) * spec.trials]
    most = max(left, key=lambda shape: sizes[shape], default=None)
    return most if most is not None and 0 < _TOLD * largest < sizes[most] else None


def _has_sizes(network: Network) -> bool:
    return not isinstance(network, RecordedNetwork) or bool(network.sizes)


def _seconds_left(spec: StudySpec, rows: Sequence[TrialRow], workers: int) -> float | None:
    """Return the seconds of the loops left at what a loop took with each network, or as the timed ones suggest.

    A part is one worker's: towards the end some have none, and the longest part decides.
    """
    seconds: dict[str, float] = defaultdict(float)
    loops: dict[str, int] = defaultdict(int)
    settled: dict[tuple[str, int], int] = defaultdict(int)
    for row in rows:
        shape = row.architecture
        settled[shape, row.trial] += spec.meta_loops if row.state == FAILED else row.meta_loop or 0
        if row.meta_loop:
            seconds[shape] += row.seconds
            loops[shape] += row.meta_loop
    timed: dict[Network, float] = {
        network: seconds[network.short_name] / loops[network.short_name]
        for network in spec.networks
        if seconds[network.short_name] > 0
    }
    if not timed or not all(map(_has_sizes, spec.networks)):
        return None
    model = CostModel(timed)
    every = len(spec.variants) * spec.meta_loops
    return makespan_s(
        (
            model.predict(network) * sum(every - settled[network.short_name, trial] for trial in part.trials)
            for network in spec.networks
            for part in parts_of(spec, network)
        ),
        max(workers, 1),
    )
