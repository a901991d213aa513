"""What the figures of a single run are drawn from: its loops as arrays, and what its ablations did."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import nan
from pathlib import Path

from psa_tui.errors import ConfigError, DataError
from psa_tui.formatting import network_words, printable, run_words
from psa_tui.method.dead_units import DeadUnits
from psa_tui.method.events import Verdict
from psa_tui.method.layer_names import LayerNames
from psa_tui.runs.ablation_statistics import AblationStatistics, NetworkAblations
from psa_tui.runs.history import find_run
from psa_tui.runs.stored_loops import gains_of, last_dead_units, majority_of, network_of, with_lkg
from psa_tui.storage.meta_loops import MetaLoopRow
from psa_tui.storage.run_store import RunRow, read_runs

_MODES_NAMED = 3


@dataclass(slots=True)
class RunResults:
    """A run as its figures see it; arrays have one entry a loop, in order, and accuracies are fractions."""

    row: RunRow
    meta_loops: array[int] = field(default_factory=lambda: array("q"))
    accuracies: array[float] = field(default_factory=lambda: array("d"))
    """Of the candidates on the validation images."""
    lkg: array[float] = field(default_factory=lambda: array("d"))
    """The LKG's after each loop; NaN before there is one, and where it is not known."""
    losses: array[float] = field(default_factory=lambda: array("d"))
    """The mean of each candidate's epoch; NaN where it was not finite."""
    promoted: array[int] = field(default_factory=lambda: array("b"))
    """0 or 1."""
    statistics: AblationStatistics = field(default_factory=AblationStatistics)
    modes: list[tuple[int, str]] = field(default_factory=list)
    """First meta-loop and mode of each stretch of loops in one mode."""
    dead_units: DeadUnits | None = None
    """Those of the LKG; None where not known."""

    def fold(self, loops: Sequence[MetaLoopRow], before: MetaLoopRow | None) -> None:
        """Take in ``loops``, which came after the loop ``before``."""
        for (loop, (_, lkg)), gain in zip(with_lkg(loops, before), gains_of(loops, before), strict=True):
            promoted = loop.verdict == Verdict.PROMOTED
            self.meta_loops.append(loop.meta_loop)
            self.accuracies.append(loop.validation_accuracy)
            self.lkg.append(nan if lkg is None else lkg / loop.validation_count)
            self.losses.append(nan if loop.train_loss is None else loop.train_loss)
            self.promoted.append(promoted)
            self.statistics.fold(loop.ablations, promoted, gain)
            if not self.modes or self.modes[-1][1] != loop.mode:
                self.modes.append((loop.meta_loop, loop.mode))
        self.dead_units = last_dead_units(loops, self.dead_units)

    @property
    def ablations(self) -> NetworkAblations:
        """What ablations did to the network."""
        network = network_of(self.row)
        return NetworkAblations(
            statistics=self.statistics,
            unit_counts=() if network is None else network.unit_counts,
            names=LayerNames() if network is None else network.names,
            dead_units=self.dead_units or (),
        )

    @property
    def majority(self) -> float | None:
        """What always answering the most frequent class would score; None where not known."""
        return majority_of(self.row)

    @property
    def what(self) -> str:
        """What was trained on what, in a few words."""
        told = [mode if place == 0 else f"{mode} from loop {first}" for place, (first, mode) in enumerate(self.modes)]
        modes = ", ".join(told) if len(told) <= _MODES_NAMED else f"{len(told)} stretches"
        return printable(f"{network_words(self.row.network, self.row.architecture)}, mode {modes}, {self.row.dataset}")

    @property
    def called(self) -> str:
        """What people call the run, and what the history does."""
        return printable(run_words(self.row.run, self.row.name))

    @property
    def name(self) -> str:
        """``what`` and ``called``."""
        return f"{self.what}, run {self.called}"


def load_run_results(results_dir: Path, name: str) -> RunResults:
    """Load the run called ``name`` (see ``find_run``) from the history in ``results_dir``, some loops at a time.

    Raises:
        ConfigError: there is no history, or no such run.
        DataError: the run has no loop yet.
        HistoryError: the history cannot be read.
    """
    with read_runs(results_dir) as store:
        if store is None:
            raise ConfigError(f"there is no history in {results_dir}; psa train makes one, --results-dir names another")
        results, before = RunResults(find_run(store, name)), None
        for batch in store.loop_batches(results.row.run):
            results.fold(batch, before)
            before = batch[-1]
    if before is None:
        raise DataError(f"run {results.row.run} has no meta-loop yet; there is nothing to show")
    return results
