"""Single runs as the history has them: found by name, counted, compared. No torch, no pandas."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from psa_tui.data import is_own
from psa_tui.errors import ConfigError
from psa_tui.formatting import nearest, printable
from psa_tui.method.events import SettingChange, Verdict
from psa_tui.method.hyperparameters import HYPERPARAMETERS
from psa_tui.method.layer_names import LayerNames
from psa_tui.runs.setting_changes import stored_changes
from psa_tui.runs.status import with_actual_state
from psa_tui.runs.stored_loops import network_of
from psa_tui.storage.labels import LATEST
from psa_tui.storage.meta_loops import MetaLoopRow
from psa_tui.storage.run_store import RunRow, RunStore, read_runs


@dataclass(frozen=True, slots=True)
class RunDetails:
    """One run, its sessions (by the columns of their table) and its loops."""

    row: RunRow
    sessions: list[dict[str, Any]]
    loops: list[MetaLoopRow]

    @property
    def validation_accuracies(self) -> list[float]:
        """Of the candidate of every loop, fractions."""
        return [loop.validation_accuracy for loop in self.loops]

    @property
    def promotions(self) -> int:
        """Candidates that became the LKG."""
        return sum(loop.verdict == Verdict.PROMOTED for loop in self.loops)

    @property
    def rollbacks(self) -> int:
        """Candidates that were discarded."""
        return len(self.loops) - self.promotions

    @property
    def non_finite(self) -> int:
        """Candidates whose loss or weights were not finite."""
        return sum(not loop.finite for loop in self.loops)

    @property
    def ablations(self) -> dict[int, int]:
        """How often units of each layer were ablated, by layer; 0 is the first hidden layer."""
        counts = Counter(unit.layer for loop in self.loops for unit in loop.ablations)
        return dict(sorted(counts.items()))

    @property
    def ablated_loops(self) -> int:
        """Loops whose candidate was ablated."""
        return sum(bool(loop.ablations) for loop in self.loops)

    @property
    def survived_ablations(self) -> int:
        """Candidates that were promoted although a unit of theirs was ablated that was not dead already."""
        return sum(
            loop.verdict == Verdict.PROMOTED and any(not unit.dead for unit in loop.ablations) for loop in self.loops
        )

    @property
    def ablated_dead_units(self) -> int:
        """How often a unit was ablated that was dead already."""
        return sum(unit.dead for loop in self.loops for unit in loop.ablations)

    @property
    def hidden_units(self) -> int | None:
        """How many the network has; None where its family or the data set is not installed."""
        network = network_of(self.row)
        return None if network is None else network.hidden_units

    @property
    def names(self) -> LayerNames:
        """What its layers are called; numbers where the network's family or the data set is not installed."""
        network = network_of(self.row)
        return LayerNames() if network is None else network.names

    @property
    def modes(self) -> list[tuple[int, str]]:
        """(first meta-loop, mode) of each stretch of loops in one mode; the row's mode where there is no loop."""
        modes = [(loop.meta_loop, loop.mode) for loop in self.loops]
        changes = modes[:1] + [after for before, after in pairwise(modes) if after[1] != before[1]]
        return changes or [(1, self.row.mode)]

    @property
    def setting_changes(self) -> tuple[SettingChange, ...]:
        """With which other values of settings the run went on, by loop."""
        return stored_changes(self.sessions, self.modes)

    def first_settings(self) -> dict[str, str]:
        """Return what the run began with, of the hyperparameters, as text by setting."""
        values = self.row.hyperparameters.as_json()
        last = {one.option: one.format(values[one.name]) for one in HYPERPARAMETERS}
        changed = {one.name: one.before for one in reversed(self.setting_changes)}
        return {name: changed.get(name, text) for name, text in last.items()}

    @property
    def seconds(self) -> float:
        """What the loops took, which is the time of a run wherever one is told."""
        return sum(_seconds(self.loops))

    @property
    def median_loop_s(self) -> float | None:
        """Seconds of a loop in the middle; None without loops."""
        return median(_seconds(self.loops)) if self.loops else None

    def settings(self) -> dict[str, Any]:
        """What a user can choose or a machine decides, by name; machine and versions are those of the last session."""
        row, last = self.row, self.sessions[-1] if self.sessions else {}
        rates, changes = row.hyperparameters.as_json(), self.setting_changes
        of_machine = ("device", "threads", "backend", "machine")
        return {
            "network": row.network,
            "architecture": row.architecture,
            "mode": ", ".join(mode if first == 1 else f"{mode} from {first}" for first, mode in self.modes),
            "meta-loops": row.last_meta_loop,
            **{one.name.replace("_", " "): _course(changes, one.option, rates[one.name]) for one in HYPERPARAMETERS},
            "seed": row.seed,
            **({} if row.initialisation_seed is None else {"seed of first weights": row.initialisation_seed}),
            "data": row.dataset,
            "data asked for": row.dataset if is_own(row.dataset_requested) else row.dataset_requested,
            "data fingerprint": row.dataset_fingerprint[:16],
            **{name: _course(changes, name, last[name]) for name in of_machine if last},
            **last.get("versions", {}),
        }


@dataclass(frozen=True, slots=True)
class RunOverview:
    """One run in a list of runs, without its loops' rows: there may be millions."""

    row: RunRow
    validation_accuracies: Sequence[float]
    """Of the candidate of every loop, fractions."""
    promotions: int
    seconds: float
    """What the loops took."""


def _course(changes: Sequence[SettingChange], name: str, last: Any) -> Any:
    """The value of a setting; as text with the loops from which on the run had others, where it had."""
    own = [one for one in changes if one.name == name]
    return ", ".join([own[0].before, *(f"{one.after} from {one.meta_loop}" for one in own)]) if own else last


def _seconds(loops: Sequence[MetaLoopRow]) -> list[float]:
    return [loop.seconds for loop in loops if loop.seconds is not None]


def find_run(store: RunStore, text: str) -> RunRow:
    """The run ``text``, the latest one called so, or the only one that begins so; ``latest`` is the one worked on last.

    Raises:
        ConfigError: no run or more than one fits; the message has the nearest names.
    """
    if text != LATEST and (named := store.run(text)) is not None:
        return named
    rows = store.latest(-1)
    if not rows:
        raise ConfigError("there is no run in the history yet; psa train makes one, --results-dir names another folder")
    if text == LATEST:
        return rows[0]
    if (called := next((row for row in rows if row.name == text), None)) is not None:
        return called
    fitting = [row for row in rows if row.run.startswith(text)] if text else rows
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise ConfigError(f"{printable(text)!r} fits {len(fitting)} runs: {_some(fitting)}; type more of the name")
    names = list(dict.fromkeys(row.name or row.run for row in rows))
    near = nearest(text, names, 3) or names[:3]
    raise ConfigError(
        f"{printable(text)!r} is no run; the nearest: {', '.join(near)} (or latest; psa results runs lists all)"
    )


def _some(rows: Sequence[RunRow], limit: int = 4) -> str:
    names = ", ".join(row.run for row in rows[:limit])
    return names if len(rows) <= limit else f"{names}, ..."


def details_of(store: RunStore, row: RunRow) -> RunDetails:
    """Everything the history has of the run of ``row``; a state "running" without a process is "interrupted"."""
    return RunDetails(with_actual_state(row), store.sessions(row.run), store.loops(row.run))


def load_runs(folder: Path, names: Sequence[str]) -> list[RunDetails]:
    """The runs that ``names`` fit, in their order, from the history in ``folder``.

    Raises:
        ConfigError: there is no history, or a name fits no run or several.
        HistoryError: the history cannot be read.
    """
    with _existing_history(folder) as store:
        return [details_of(store, find_run(store, name)) for name in names]


def load_rows(folder: Path, names: Sequence[str]) -> list[RunRow]:
    """The rows of the runs that ``names`` fit; as ``load_runs``, without their loops."""
    with _existing_history(folder) as store:
        return [find_run(store, name) for name in names]


@contextmanager
def _existing_history(folder: Path) -> Iterator[RunStore]:
    with read_runs(folder) as store:
        if store is None:
            raise ConfigError(f"there is no history in {folder}; psa train makes one, --results-dir names another")
        yield store


def latest_runs(folder: Path, limit: int, tags: Collection[str] = ()) -> list[RunOverview]:
    """The runs worked on last that have all ``tags``, newest first; empty when there is no history.

    Raises:
        HistoryError: the history cannot be read.
    """
    with read_runs(folder) as store:
        if store is None:
            return []
        rows = [row for row in store.latest(-1 if tags else limit) if set(tags) <= set(row.tags)][:limit]
        return [
            RunOverview(with_actual_state(row), *store.validation_curve(row.run), store.seconds(row.run))
            for row in rows
        ]


def differing(one: dict[str, Any], other: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """What has not the same value in both, in order, with both values; None where one lacks it."""
    names = list(dict.fromkeys([*one, *other]))
    pairs = {name: (one.get(name), other.get(name)) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
