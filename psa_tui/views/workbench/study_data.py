"""A study as a plane of shapes: what each view of the map shows of a shape. No screen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from statistics import fmean, stdev

from psa_tui.analysis.shapes import size_of
from psa_tui.errors import HistoryError
from psa_tui.formatting import percent
from psa_tui.method.variants import NONE, ordered
from psa_tui.networks import Mlp
from psa_tui.outside import is_plain_name
from psa_tui.storage.locks import holder
from psa_tui.storage.study_rows import COMPLETE, FAILED, LOCAL, RUNNING, TrialRow
from psa_tui.storage.study_store import read_store
from psa_tui.studies.part_files import study_lock


class View(StrEnum):
    """What the map shows of every shape."""

    BEST = "best"
    MODE = "mode"
    EFFECT = "effect"
    COUNT = "n"
    STATE = "state"


@dataclass(frozen=True, slots=True)
class Shape:
    """An architecture of the study; depth and width are None where they are not known here."""

    name: str
    depth: int | None
    width: float | None
    parameters: int | None


@dataclass(frozen=True, slots=True)
class Cell:
    """The trials of one mode at one shape."""

    rows: Sequence[TrialRow] = ()

    @property
    def bounties(self) -> list[float]:
        """Best validation accuracies of the complete trials, fractions."""
        return [row.bounty for row in self.rows if row.state == COMPLETE and row.bounty is not None]

    @property
    def mean(self) -> float | None:
        """Their mean; None where there is none."""
        return fmean(self.bounties) if self.bounties else None

    @property
    def deviation(self) -> float | None:
        """Their standard deviation; None of fewer than two."""
        return stdev(self.bounties) if len(self.bounties) > 1 else None

    def count(self, state: str) -> int:
        """Return how many trials are in a state."""
        return sum(row.state == state for row in self.rows)


@dataclass(frozen=True, slots=True)
class StudyData:
    """A study as its rows tell."""

    name: str
    shapes: Sequence[Shape]
    modes: Sequence[str]
    trials: int
    """Wanted of each shape and mode."""
    cells: dict[tuple[str, str], Cell]
    is_running: bool
    dataset: str | None
    family: str

    def cell(self, shape: str, mode: str) -> Cell:
        """Return the trials of one mode at one shape."""
        return self.cells.get((shape, mode), Cell())

    def best(self, shape: str) -> tuple[str, float] | None:
        """Return the mode whose trials are the best in the mean, and that mean."""
        means = [(mode, mean) for mode in self.modes if (mean := self.cell(shape, mode).mean) is not None]
        return max(means, key=lambda one: one[1], default=None)

    def effect(self, shape: str, mode: str, control: str) -> float | None:
        """Return how much better a mode is than another in the mean, as a fraction; None where one has no trial."""
        ours, theirs = self.cell(shape, mode).mean, self.cell(shape, control).mean
        return None if ours is None or theirs is None else ours - theirs

    def complete(self, shape: str) -> int:
        """Return how many trials of a shape are complete."""
        return sum(self.cell(shape, mode).count(COMPLETE) for mode in self.modes)

    def failed(self, shape: str | None) -> int:
        """Return how many trials of a shape, or of all, have failed."""
        return sum(row.state == FAILED for row in self.trials_of(shape))

    def wanted(self) -> int:
        """Return how many trials of a shape there are to be."""
        return self.trials * len(self.modes)

    def state(self, shape: str) -> str:
        """Return failed, running, complete, begun or waiting."""
        cells = [self.cell(shape, mode) for mode in self.modes]
        if any(cell.count(FAILED) for cell in cells):
            return "failed"
        if self.is_running and any(cell.count(RUNNING) for cell in cells):
            return "running"
        complete = self.complete(shape)
        if complete >= self.wanted():
            return "complete"
        return "begun" if complete or any(cell.rows for cell in cells) else "waiting"

    def value(self, shape: str, view: View, mode: str, control: str) -> float | None:
        """Return the number that a view shows of a shape; None where there is none."""
        match view:
            case View.BEST:
                best = self.best(shape)
                return None if best is None else best[1]
            case View.MODE:
                return self.cell(shape, mode).mean
            case View.EFFECT:
                return self.effect(shape, mode, control)
        return float(self.complete(shape))

    def trials_of(self, shape: str | None) -> list[TrialRow]:
        """Return the trials of a shape, or of all, by mode and number."""
        names = [one.name for one in self.shapes] if shape is None else [shape]
        return [row for name in names for mode in self.modes for row in self.cell(name, mode).rows]

    def facts(self) -> list[tuple[str, str]]:
        """Return what the study is and how far it is, each by its name."""
        rows = [row for cell in self.cells.values() for row in cell.rows]
        counts = {state: sum(row.state == state for row in rows) for state in (COMPLETE, FAILED, RUNNING)}
        best = max((row for row in rows if row.state == COMPLETE), key=lambda row: row.bounty or 0.0, default=None)
        first = [(one.name, found[1]) for one in self.shapes if (found := self.best(one.name)) is not None]
        leader = max(first, key=lambda one: one[1], default=None)
        return [
            ("study", f"{self.name}{', running' if self.is_running else ''}"),
            *([] if self.family == Mlp.family else [("network", self.family)]),
            ("shapes", f"{len(self.shapes):,}"),
            ("modes", ", ".join(self.modes)),
            ("trials", f"{self.trials:,} of each shape and mode, {self.wanted() * len(self.shapes):,} in all"),
            ("complete", f"{counts[COMPLETE]:,}" + (f", {counts[FAILED]:,} failed" if counts[FAILED] else "")),
            ("data", self.dataset or "not known"),
            *([("best shape", f"{leader[0]}, {percent(leader[1])} in the mean of its best mode")] if leader else []),
            *(
                [("best trial", f"{best.architecture} {best.mode} {best.trial}, {percent(best.bounty)}")]
                if best
                else []
            ),
        ]

    @property
    def control(self) -> str:
        """The mode that others are compared with at first."""
        return NONE.name if NONE.name in self.modes else self.modes[0] if self.modes else ""


def read_study(results_dir: Path, name: str) -> StudyData:
    """Return the study as it stands.

    Raises:
        HistoryError: the history cannot be read, or no longer has it.
    """
    with read_store(results_dir) as store:
        found = None if store is None else store.study(name)
        if store is None or found is None:
            raise HistoryError(f"study {name} is no longer in the history in {results_dir}")
        rows = store.trials(name)
    dataset, family = found.settings.get("dataset"), found.settings.get("network") or Mlp.family
    cells: dict[tuple[str, str], list[TrialRow]] = {}
    parameters: dict[str, int] = {}
    for row in rows:
        cells.setdefault((row.architecture, row.mode), []).append(row)
        parameters[row.architecture] = row.parameters
    names = list(dict.fromkeys([*found.settings.get("shapes", []), *parameters]))
    shapes = []
    for one in names:
        size = size_of(one, dataset, family, parameters.get(one))
        shapes.append(Shape(one, size.depth, size.width, size.parameters))
    modes = ordered([*found.settings.get("modes", []), *(mode for _, mode in cells)])
    most = max((len(cell) for cell in cells.values()), default=0)
    is_local = found.source == LOCAL and is_plain_name(name)
    return StudyData(
        name=name,
        shapes=shapes,
        modes=modes,
        trials=found.trials or most,
        cells={key: Cell(value) for key, value in cells.items()},
        is_running=is_local and holder(study_lock(results_dir, name)) is not None,
        dataset=dataset,
        family=family,
    )
