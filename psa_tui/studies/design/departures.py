"""In what a study is not what was registered: its settings, its trials, its looks, its analysis."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from psa_tui.errors import DataError
from psa_tui.formatting import count
from psa_tui.storage.study_rows import COMPLETE, FAILED, SessionRow, StudyRow, TrialRow
from psa_tui.storage.study_store import read_store
from psa_tui.studies.design.registration import NOT_FROZEN, Registration, differences_of, load_registration
from psa_tui.studies.spec import StudySpec


def departures(results_dir: Path, study: str, analysis: Mapping[str, Any] | None = None) -> list[str]:
    """Return in what a study departs from its registration, a sentence each; none where it was never registered.

    A registration that was changed since is a departure itself, and is said as one.

    Args:
        analysis: what an analysis does, by the names of ``Design``'s fields (``alpha``, ``correction``, ``pooled``,
            ``escape_above``, ``endpoints``) and ``contrasts``, a list such as ``["output - none"]``.

    Raises:
        HistoryError: the database cannot be read.
    """
    try:
        registration = load_registration(results_dir, study)
    except DataError as error:
        return [str(error)]
    if registration is None:
        return []
    with read_store(results_dir) as store:
        row = None if store is None else store.study(study)
        if store is None or row is None:
            return list(_of_analysis(registration, analysis or {}))
        return departures_of(registration, row, store.trials(study), store.sessions(study), analysis)


def departures_before(results_dir: Path, spec: StudySpec) -> list[str]:
    """Return in what a study that is about to be trained departs from its registration, a sentence each.

    Raises:
        DataError: the registered design was changed since.
    """
    registration = load_registration(results_dir, spec.name)
    if registration is None:
        return []
    return [
        f"study {spec.name} departs from its registration: {one}"
        for one in differences_of(registration, _settled(registration, spec.as_settings()))
    ]


def departures_of(
    registration: Registration,
    study: StudyRow,
    trials: Sequence[TrialRow],
    sessions: Sequence[SessionRow],
    analysis: Mapping[str, Any] | None = None,
) -> list[str]:
    """Return in what a study, given its rows, departs from ``registration``; as ``departures``."""
    return [
        *differences_of(registration, _settled(registration, study.settings | {"trials": study.trials or 0})),
        *_of_trials(registration, study, trials),
        *_of_time(registration, sessions),
        *_of_looks(registration),
        *_of_analysis(registration, analysis or {}),
    ]


def _settled(registration: Registration, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return a study's settings as a registration has them; fewer trials than registered are no departure yet."""
    found = {name: value for name, value in settings.items() if name not in NOT_FROZEN}
    return found | {"trials": max(registration.study["trials"], settings["trials"])}


def _of_trials(registration: Registration, study: StudyRow, trials: Sequence[TrialRow]) -> Iterator[str]:
    if failed := sum(row.state == FAILED for row in trials):
        yield f"{count(failed, 'trial')} failed and cannot be counted"
    if diverged := sum(row.state == COMPLETE and row.bounty is None for row in trials):
        yield f"{count(diverged, 'complete trial')} never promoted anything: without an accuracy"
    loops = registration.study["meta_loops"]
    if short := sum(row.state == COMPLETE and row.meta_loop != loops for row in trials):
        yield f"{count(short, 'complete trial')} with another number of meta-loops than the registered {loops}"
    if study.quick:
        yield "the study is a quick one, cut short on purpose"


def _of_time(registration: Registration, sessions: Sequence[SessionRow]) -> Iterator[str]:
    if sessions and sessions[0].started_at < registration.registered_at:
        yield (
            f"registered at {_minute(registration.registered_at)}, after its training was begun at "
            f"{_minute(sessions[0].started_at)} (UTC)"
        )


def _of_looks(registration: Registration) -> Iterator[str]:
    planned, taken = registration.design.looks, registration.looks
    for number, look in enumerate(taken, start=1):
        if number > len(planned):
            yield f"look {number}, at {count(look.trials, 'trial')}, was not planned: the design has {len(planned)}"
        elif look.trials != planned[number - 1]:
            yield f"look {number} was taken at {count(look.trials, 'trial')}, planned at {planned[number - 1]}"


def _of_analysis(registration: Registration, analysis: Mapping[str, Any]) -> Iterator[str]:
    design = registration.design.as_json()
    registered = [one.contrast for one in registration.design.hypotheses]
    for contrast in analysis.get("contrasts", ()):
        if contrast not in registered:
            yield f"{contrast} is no registered contrast: exploratory"
    for endpoint in analysis.get("endpoints", ()):
        if endpoint not in design["endpoints"]:
            yield f"{endpoint} is no registered endpoint: exploratory"
    for name in ("alpha", "correction", "pooled", "escape_above", "spending"):
        if name in analysis and analysis[name] != design[name]:
            yield f"{name.replace('_', ' ')} registered {design[name]}, used {analysis[name]}"


def _minute(time: str) -> str:
    return time[:16].replace("T", " ")
