"""Single runs as the history has them: found by name, counted, compared. No torch, no pandas."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from statistics import median
from typing import Any

from psa_tui.errors import ConfigError
from psa_tui.formatting import printable
from psa_tui.method.events import Verdict
from psa_tui.runs.status import as_it_is
from psa_tui.storage.run_store import History, RunRow, read_history

LATEST = "latest"


@dataclass(frozen=True, slots=True)
class RunDetails:
    """One run, its sessions and its loops; the keys of the mappings are the columns of the history."""

    row: RunRow
    sessions: list[dict[str, Any]]
    loops: list[dict[str, Any]]

    @property
    def validation_accuracies(self) -> list[float]:
        """Of the candidate of every loop, fractions."""
        return [loop["validation_correct"] / loop["validation_count"] for loop in self.loops]

    @property
    def promotions(self) -> int:
        """Candidates that became the LKG."""
        return sum(loop["verdict"] == Verdict.PROMOTED for loop in self.loops)

    @property
    def rollbacks(self) -> int:
        """Candidates that were discarded."""
        return len(self.loops) - self.promotions

    @property
    def non_finite(self) -> int:
        """Candidates whose loss or weights were not finite."""
        return sum(not loop["finite"] for loop in self.loops)

    @property
    def ablations(self) -> dict[int, int]:
        """How often a neuron of each layer was zeroed, by layer; 0 is the first hidden layer."""
        counts = Counter(loop["ablated_layer"] for loop in self.loops if loop["ablated_layer"] is not None)
        return dict(sorted(counts.items()))

    @property
    def survived_ablations(self) -> int:
        """Ablated candidates that were promoted all the same."""
        return sum(loop["ablated_layer"] is not None and loop["verdict"] == Verdict.PROMOTED for loop in self.loops)

    @property
    def modes(self) -> list[tuple[int, str]]:
        """(first meta-loop, mode) of each stretch of loops in one mode; the row's mode where there is no loop."""
        modes = [(loop["meta_loop"], loop["mode"]) for loop in self.loops]
        changes = modes[:1] + [after for before, after in pairwise(modes) if after[1] != before[1]]
        return changes or [(1, self.row.mode)]

    @property
    def median_loop_s(self) -> float | None:
        """Seconds of a loop in the middle; None without loops."""
        return median(loop["seconds"] for loop in self.loops) if self.loops else None

    @property
    def lkg_accuracies(self) -> list[float | None]:
        """The LKG's accuracy after every loop; None before the first promotion."""
        candidates = zip(self.loops, self.validation_accuracies, strict=True)
        levels = (accuracy if loop["verdict"] == Verdict.PROMOTED else -1.0 for loop, accuracy in candidates)
        return [None if level < 0 else level for level in accumulate(levels, max)]

    def settings(self) -> dict[str, Any]:
        """What a user can choose or a machine decides, by name; of the last session where sessions may differ."""
        row, last = self.row, self.sessions[-1] if self.sessions else {}
        return {
            "architecture": row.architecture,
            "mode": ", ".join(mode if first == 1 else f"{mode} from {first}" for first, mode in self.modes),
            "meta-loops": row.last_meta_loop,
            "learning rate": row.learning_rate,
            "batch size": row.batch_size,
            "weight decay": row.weight_decay,
            "dropout": row.dropout,
            "seed": row.seed,
            "data": row.dataset,
            "data asked for": row.dataset_requested,
            "data fingerprint": row.dataset_fingerprint[:16],
            **{name: last[name] for name in ("device", "threads", "machine") if last},
            **last.get("versions", {}),
        }


def find_run(history: History, text: str) -> RunRow:
    """The run named ``text``, or the only one whose name begins so; ``latest`` is the one worked on last.

    Raises:
        ConfigError: no run or more than one fits; the message has the nearest names.
    """
    rows = history.latest(-1)
    if not rows:
        raise ConfigError("there is no run in the history yet; psa train makes one, --results-dir names another folder")
    if text == LATEST:
        return rows[0]
    fitting = [row for row in rows if row.run.startswith(text)] if text else rows
    exact = [row for row in fitting if row.run == text]
    if exact or len(fitting) == 1:
        return (exact or fitting)[0]
    if fitting:
        raise ConfigError(f"{printable(text)!r} fits {len(fitting)} runs: {_some(fitting)}; type more of the name")
    names = [row.run for row in rows]
    near = difflib.get_close_matches(text, names, n=3, cutoff=0.3) or names[:3]
    raise ConfigError(
        f"{printable(text)!r} is no run; the nearest: {', '.join(near)} (or latest; psa results runs lists all)"
    )


def _some(rows: Sequence[RunRow], limit: int = 4) -> str:
    names = ", ".join(row.run for row in rows[:limit])
    return names if len(rows) <= limit else f"{names}, ..."


def details_of(history: History, row: RunRow) -> RunDetails:
    """Everything the history has of the run of ``row``; a state "running" without a process is "interrupted"."""
    return RunDetails(as_it_is(row), history.sessions(row.run), history.loops(row.run))


def load_runs(folder: Path, names: Sequence[str]) -> list[RunDetails]:
    """The runs that ``names`` fit, in their order, from the history in ``folder``.

    Raises:
        ConfigError: there is no history, or a name fits no run or several.
        HistoryError: the history cannot be read.
    """
    with read_history(folder) as history:
        if history is None:
            raise ConfigError(f"there is no history in {folder}; psa train makes one, --results-dir names another")
        return [details_of(history, find_run(history, name)) for name in names]


def latest_runs(folder: Path, limit: int) -> list[RunDetails]:
    """The runs worked on last, newest first; empty when there is no history.

    Raises:
        HistoryError: the history cannot be read.
    """
    with read_history(folder) as history:
        return [] if history is None else [details_of(history, row) for row in history.latest(limit)]


def differing(one: dict[str, Any], other: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """What has not the same value in both, in order, with both values; None where one lacks it."""
    names = list(dict.fromkeys([*one, *other]))
    pairs = {name: (one.get(name), other.get(name)) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
