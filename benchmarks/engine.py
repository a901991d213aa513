"""The engine beside the plain reference loop: seconds per meta-loop of one run, and per trial of a population.

A meta-loop trains on 50,000 images and validates on 10,000, batch 256. Reference and engine take turns; what counts is
the median of the ratios. A turn is a meta-loop, for the engine as many as take a third of a second. The engine has
processes of its own, as it has for a user: autograd leaves the reference's process a second pool of threads, beside
which the first wakes slowly. The reference computes with PyTorch's default threads. Where there is another version, its
engine takes turns as well.

A population has sixty trials, ten seeds in six modes; where those would take long, two seeds. Limits are the least
possible times: of multiply-adds at this machine's matrix rate, of instructions where every issue slot is taken, of
bytes at its memory rate. The engine multiplies pixels that are not black only, and trains members that are equal to
the bit once (fifty of sixty trials at these rates, where mode decay is the control); state that no cache holds passes
through memory. The shares are these limits in percent of the engine's time. It leaves out dead units too, which no
limit knows of, so in a deep network a share may be above 100 %; impossible is a time below what no dead unit spares.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.floors import Floors, Rates, certain_operations, floors, operations
from benchmarks.population import Member, Processes, distinct
from benchmarks.reference import Reference
from psa_tui.data import Dataset
from psa_tui.engine.parallelism import processes_for
from psa_tui.method.variants import PUBLISHED
from psa_tui.networks.stacked import StackedNetwork

SINGLE = {"[4*4, 2*8]": 60.0, "[18*18]": 35.0, "[1*64]": 12.0, "[1*1024]": 5.0, "[1*2048]": 3.8, "[64*1]": 400.0}
POPULATION = {
    "[4*4]": 190.0,
    "[8*8]": 130.0,
    "[18*18]": 50.0,
    "[32*32]": 40.0,
    "[2*59]": 17.0,
    "[1*64]": 17.0,
    "[1*256]": 9.0,
    "[64*1]": 900.0,
    "[4*425]": 2.0,
}
"""The ratios to be reached, by shape."""
RESIDUAL = {"[8*8]": 10.0, "[18*18]": 10.0}
"""Those of populations of residual networks."""
_SEEDS, _FEW_SEEDS = 10, 2
_MOST_OPERATIONS = 1.5e12
"""A population that would need more has few seeds; a trial of it takes as long."""
_LEAST_TURNS, _MOST_TURNS = 3, 7
_LEAST_S = 0.3
"""A turn of an engine lasts at least so long: a shorter one tells more of the machine."""
CLOCK_S = 1000 * time.get_clock_info("perf_counter").resolution
"""What takes less is not measured to three digits."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What one shape's turns measured, in seconds per trial and meta-loop."""

    network: StackedNetwork
    target: float | None
    reference_s: list[float]
    engine_s: list[float]
    other_s: list[float]
    """Those of the other version; empty where there is none."""
    trials: int
    backend: str
    processes: int
    threads: int
    """Of each process."""
    pixels: int
    """How many of a training image's 784 are not black: the mean."""
    distinct: float
    """The fraction of the trials that differ from the others, and have to be computed."""

    @property
    def ratios(self) -> list[float]:
        """How many times faster than the reference the engine was, turn by turn."""
        return [slow / fast for slow, fast in zip(self.reference_s, self.engine_s, strict=True)]

    @property
    def missed(self) -> bool:
        """Whether its target was not reached."""
        return self.target is not None and statistics.median(self.ratios) < self.target

    def floors(self, rates: Rates) -> Floors:
        """Return the least seconds the engine can take, by each limit."""
        return floors(self.network, rates, self.pixels, self.distinct)

    def impossible(self, rates: Rates) -> list[str]:
        """Return what of it cannot be true, in words: a time below a limit, or one that no clock here measures."""
        dense_s = operations(self.network) / rates.operations_per_s
        certain_s = self.distinct * certain_operations(self.network, self.pixels) / rates.operations_per_s
        least = {"the first layer's products need": certain_s, "bytes need": self.floors(rates).bytes_s}
        found = []
        for who, seconds, limits in (
            ("the engine", self.engine_s, least),
            ("the other version", self.other_s, least),
            ("the reference", self.reference_s, {"multiply-adds need": dense_s}),
        ):
            shortest = min(seconds, default=1.0)
            limits = {**limits, "a clock can tell": CLOCK_S}
            found += [f"{who} took {shortest:.3g} s, {what} {s:.3g} s" for what, s in limits.items() if shortest < s]
        return [f"impossible: {self.network}: {words}" for words in found]

    def cells(self, rates: Rates) -> list[str]:
        """Return the cells of its row."""
        reference, engine = statistics.median(self.reference_s), statistics.median(self.engine_s)
        cells = [
            f"`{self.network}`",
            f"{self.trials} by {self.processes} x {self.threads} {self.backend}",
            f"{reference:.3f}",
            f"{engine:.4f}",
            *(f"{floor / engine:.0%}" for floor in self.floors(rates)),
            spread(self.ratios),
            "" if self.target is None else f"{self.target:g}{', missed' if self.missed else ''}",
        ]
        if self.other_s:
            gains = [other / ours for other, ours in zip(self.other_s, self.engine_s, strict=True)]
            cells += [f"{statistics.median(self.other_s):.4f}", spread(gains)]
        return [*cells, str(len(self.ratios))]


def columns(other: bool) -> list[str]:
    """Return the names of the columns of ``Measured.cells``; ``other`` adds those of the other version."""
    names = ["shape", "trials by processes x threads", "reference s", "engine s", "multiply-adds", "issue slots"]
    names += ["bytes", "ratio", "wanted"]
    return [*names, *(["other s", "gain"] if other else []), "turns"]


def spread(values: Sequence[float]) -> str:
    """Return the median of ``values``, and the least and the most."""
    digits = 1 if statistics.median(values) >= 4 else 2
    median, least, most = (f"{value:.{digits}f}" for value in (statistics.median(values), min(values), max(values)))
    return f"{median} ({least} to {most})"


def measure(
    network: StackedNetwork,
    target: float | None,
    members: list[Member],
    threads: int | None,
    budget_s: float,
    data: Dataset,
    beside: Path | None,
) -> Measured:
    """Measure ``members`` beside the reference, and beside the version in ``beside``; seconds are per trial.

    Turns end after ``budget_s``. ``threads`` are each process's, None for as many as a run takes.
    """
    ends = time.perf_counter() + budget_s
    processes = processes_for(len(members), "cpu")
    about = str(network), members, processes, threads, data_folder()
    population = Processes(*about, family=network.family)
    others = [] if beside is None else [Processes(*about, beside, family=network.family)]
    reference = Reference(network, data)
    engines = [population, *others]
    reference_s, engine_s, *others_s = take_turns(
        [partial(_seconds, reference.meta_loop), *(partial(_seconds_of_trial, one, len(members)) for one in engines)],
        ends - time.perf_counter(),
    )
    for engine in engines:
        engine.close()
    found = population.about
    return Measured(
        network=network,
        target=target,
        reference_s=reference_s,
        engine_s=engine_s,
        other_s=others_s[0] if others_s else [],
        trials=len(members),
        backend=found["backend"],
        processes=len(population.workers),
        threads=found["threads"],
        pixels=found["pixels"],
        distinct=distinct(members) / len(members),
    )


def take_turns(work: Sequence[Callable[[], float]], budget_s: float) -> list[list[float]]:
    """Call each of ``work`` in turns until ``budget_s`` is spent, three times at least; every second time backwards.

    Returns:
        What each call returned, by work.
    """
    found: list[list[float]] = [[] for _ in work]
    ends = time.perf_counter() + budget_s
    for turn in range(_MOST_TURNS):
        if turn >= _LEAST_TURNS and time.perf_counter() > ends:
            break
        for one in range(len(work))[:: -1 if turn % 2 else 1]:
            found[one].append(work[one]())
    return found


def at_least(least_s: float, meta_loop: Callable[[], float]) -> float:
    """Run meta-loops until they took ``least_s``; return the seconds of one, the mean."""
    taken = [meta_loop()]
    while sum(taken) < least_s:
        taken.append(meta_loop())
    return statistics.fmean(taken)


def population_members(network: StackedNetwork) -> list[Member]:
    """Return the trials of a population: ten seeds in six modes, or two where those would be too much work."""
    seeds = _SEEDS
    if seeds * len(PUBLISHED) * operations(network) > _MOST_OPERATIONS:
        seeds = _FEW_SEEDS
    return [(seed, variant) for seed in range(seeds) for variant in PUBLISHED]


def _seconds_of_trial(engine: Processes, trials: int) -> float:
    return at_least(_LEAST_S, engine.meta_loop) / trials


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def data_folder() -> Path:
    """Return where MNIST is."""
    return Path(os.environ.get("PSA_DATASET_DIR", "dataset"))
