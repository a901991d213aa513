"""Which settings a run went on with other values of, and from which meta-loop on. No torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from operator import attrgetter
from typing import Any

from psa_tui.method.events import SettingChange
from psa_tui.method.hyperparameters import HYPERPARAMETERS
from psa_tui.settings import Settings
from psa_tui.storage.header import Record

_OF_MACHINES = ("device", "threads", "backend")
"""What may change the last bits, and nothing else: a session says so in words of its own (``resuming.changes``)."""


def stored_changes(
    sessions: Iterable[Mapping[str, Any]], modes: Sequence[tuple[int, str]]
) -> tuple[SettingChange, ...]:
    """Return the changes of a run, by loop.

    Args:
        sessions: in order, by the columns of their table.
        modes: (first meta-loop, mode) of each stretch of loops in one mode, in order.
    """
    steps: list[tuple[int, dict[str, str]]] = []
    for session in sessions:
        first = session["after_meta_loop"] + 1
        # What began there before did no loop, or its loops were undone.
        while steps and steps[-1][0] >= first:
            steps.pop()
        steps.append((first, _values(session)))
    changes = [one for (_, before), (loop, after) in pairwise(steps) for one in _differences(loop, before, after)]
    for (_, mode), (loop, other) in pairwise(modes):
        changes += _differences(loop, {"mode": mode}, {"mode": other})
    return tuple(sorted(changes, key=attrgetter("meta_loop")))


def session_of(record: Record) -> dict[str, Any]:
    """Return what a checkpoint says of the session that wrote it, for a history that lacks that session."""
    last = {"after_meta_loop": record.progress.meta_loop - 1}
    return last | record.hyperparameters.as_json() | {name: getattr(record, name) for name in _OF_MACHINES}


def asked_changes(settings: Settings, record: Record) -> tuple[SettingChange, ...]:
    """Return what would change if the run of ``record`` went on with ``settings``, which know its checkpoint."""
    before = _values(session_of(record)) | {"mode": record.mode, "device": record.device.partition(":")[0]}
    after = _values(settings.hyperparameters().as_json()) | {"mode": settings.variant().name}
    for name in _OF_MACHINES:
        if settings.is_explicit(name) and settings.get(name) != "auto":
            after[name] = str(settings.get(name))
    return tuple(_differences(record.progress.meta_loop + 1, before, after))


def change_notices(changes: Iterable[SettingChange], meta_loop: int) -> list[str]:
    """Return what a user must know of the changes with which ``meta_loop`` begins."""
    return [
        f"{one.name.replace('_', ' ')}: {one.before} before, {one.after} from meta-loop {meta_loop} on; "
        "--name NAME trains a run of its own"
        for one in changes
        if one.meta_loop == meta_loop and one.name not in _OF_MACHINES
    ]


def _values(session: Mapping[str, Any]) -> dict[str, str]:
    """What a session trained with, by setting."""
    rates = {one.option: one.format(session[one.name]) for one in HYPERPARAMETERS}
    return rates | {name: str(session[name]) for name in _OF_MACHINES if name in session}


def _differences(meta_loop: int, before: Mapping[str, str], after: Mapping[str, str]) -> list[SettingChange]:
    return [
        SettingChange(meta_loop=meta_loop, name=name, before=before[name], after=value)
        for name, value in after.items()
        if before[name] != value
    ]
