"""The engine beside the plain reference loop: seconds per meta-loop of one run, and per trial of a population.

    PSA_DATASET_DIR=... python -m benchmarks.engine [--single SHAPE ...] [--population SHAPE ...] [--beside FOLDER]
    PSA_DATASET_DIR=... python -m benchmarks.engine --network resmlp [--population SHAPE ...]

A meta-loop trains on 50,000 images and validates on 10,000, batch 256. Reference and engine take turns; what counts is
the median of the ratios. A turn is a meta-loop, for the engine as many as take a third of a second; there are turns
for ``--seconds`` a shape, three at least. The engine has processes of its own, as it has for a user: autograd leaves
the reference's process a second pool of threads, beside which the first wakes slowly. The reference computes with
PyTorch's default threads. With ``--beside`` a third one takes turns: the engine of the version in that folder.

A population has sixty trials, ten seeds in six modes; where those would take long, two seeds. "dense" is the time of
all its arithmetic, all 784 pixels, at this machine's matrix rate. "floor" is the least possible time: the engine
multiplies pixels that are not black only, and trains members that are equal to the bit once (fifty of sixty trials at
these rates, where mode decay is the control); state that no cache holds passes through memory at its rate. (It leaves
out dead units too, which no floor knows of.) A time below its floor is impossible, and fails the benchmark; "share" is
the floor in percent of the engine's time. Rates are measured again after each shape, and the best count. A population's
peak memory is that of all its processes; the files they share count once.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks import machine
from benchmarks.floors import Rates, floor_s, operations
from benchmarks.population import SPEC, Member, Processes, distinct, stacked
from benchmarks.reference import Reference
from psa_tui.data import Dataset, load_dataset
from psa_tui.engine.parallelism import processes_for
from psa_tui.method.variants import NONE, PUBLISHED
from psa_tui.networks import NETWORKS, Mlp
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


@dataclass(frozen=True, slots=True)
class Measured:
    """What one shape's turns measured, in seconds per trial and meta-loop."""

    network: StackedNetwork
    target: float | None
    reference_s: list[float]
    engine_s: list[float]
    other_s: list[float]
    """Those of the other version; empty where there is none."""
    layout: str
    pixels: int
    """How many of a training image's 784 are not black: the mean."""
    distinct: float
    """The fraction of the trials that differ from the others, and have to be computed."""

    @property
    def ratios(self) -> list[float]:
        """How many times faster than the reference the engine was, turn by turn."""
        return [slow / fast for slow, fast in zip(self.reference_s, self.engine_s, strict=True)]

    @property
    def least_s(self) -> float:
        """The least seconds of either version, which must not be below the floor."""
        return min(*self.engine_s, *self.other_s)

    @property
    def missed(self) -> bool:
        """Whether its target was not reached."""
        return self.target is not None and statistics.median(self.ratios) < self.target

    def floor_s(self, rates: Rates) -> float:
        """Return the least seconds the engine can take."""
        return self.distinct * floor_s(self.network, rates, self.pixels)

    def row(self, rates: Rates) -> str:
        """Return one line of the table."""
        reference, engine, ratio = map(statistics.median, (self.reference_s, self.engine_s, self.ratios))
        dense, floor = operations(self.network) / rates.operations_per_s, self.floor_s(rates)
        row = (
            f"{self.network!s:<13}{reference:>10.3f}{engine:>10.4f}"
            f"{dense:>9.4f}{floor:>9.4f}{floor / engine:>7.0%}"
            f"{ratio:>8.1f}{min(self.ratios):>8.1f}{max(self.ratios):>8.1f}"
            f"{'' if self.target is None else format(self.target, 'g'):>8}"
        )
        if self.other_s:
            gains = [other / ours for other, ours in zip(self.other_s, self.engine_s, strict=True)]
            row += f"{statistics.median(self.other_s):>10.4f}"
            row += "".join(f"{gain:>8.2f}" for gain in (statistics.median(gains), min(gains), max(gains)))
        return f"{row}{len(self.ratios):>6}  {self.layout}{'  MISSED' if self.missed else ''}"


def header(other: bool) -> str:
    """Return the names of the columns; ``other`` adds those of the other version."""
    row = f"{'shape':<13}{'reference':>10}{'engine':>10}{'dense':>9}{'floor':>9}{'share':>7}"
    row += f"{'ratio':>8}{'least':>8}{'most':>8}{'target':>8}"
    if other:
        row += f"{'other':>10}{'gain':>8}{'least':>8}{'most':>8}"
    return f"{row}{'turns':>6}  layout"


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

    ``threads`` are each process's, None for as many as a run takes.
    """
    processes = processes_for(len(members), "cpu")
    about = str(network), members, processes, threads, data_folder()
    population = Processes(*about, family=network.family)
    others = [] if beside is None else [Processes(*about, beside, family=network.family)]
    reference = Reference(network, data)
    engines = [population, *others]
    reference_s, engine_s, *others_s = take_turns(
        [partial(_seconds, reference.meta_loop), *(partial(_seconds_of_trial, one, len(members)) for one in engines)],
        budget_s,
    )
    found = population.about
    layout = (
        f"{_count(len(members), 'trial', 's')}, {found['backend']}, "
        f"{_count(len(population.workers), 'process', 'es')}, {_count(found['threads'], 'thread', 's')} each, "
        f"peak {population.peak_bytes / 1e6:,.0f} MB"
    )
    for engine in engines:
        engine.close()
    return Measured(
        network=network,
        target=target,
        reference_s=reference_s,
        engine_s=engine_s,
        other_s=others_s[0] if others_s else [],
        layout=layout,
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


def _count(number: int, thing: str, plural: str) -> str:
    return f"{number} {thing}{plural if number > 1 else ''}"


def _rates() -> Rates:
    cores = machine.cores()
    return Rates(machine.matrix_rate(cores), machine.memory_rate(cores), machine.cache_bytes())


def data_folder() -> Path:
    """Return where MNIST is."""
    return Path(os.environ.get("PSA_DATASET_DIR", "dataset"))


def main() -> None:
    """Measure and print the two tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=6.0, help="for the turns of a shape")
    parser.add_argument("--network", choices=list(NETWORKS), default=Mlp.family, help="the family")
    parser.add_argument("--single", nargs="*", metavar="SHAPE")
    parser.add_argument("--population", nargs="*", metavar="SHAPE")
    parser.add_argument("--threads", type=int, help="of one run; otherwise as many as each version takes")
    parser.add_argument("--beside", type=Path, metavar="FOLDER", help="a checkout of another version")
    options = parser.parse_args()
    started = time.perf_counter()
    data = load_dataset(SPEC.name, data_folder())
    rates = _rates()
    print(machine.describe())
    print(f"{machine.load()}; seconds are medians", flush=True)
    if options.beside is not None:
        print(f"other: {options.beside}; gain: how many times faster this version is")
    rows = []
    singles, populations = (SINGLE, POPULATION) if options.network == Mlp.family else ({}, RESIDUAL)
    for title, given, targets in (
        ("one run: seconds per meta-loop", options.single, singles),
        ("a population in six modes: seconds per trial and meta-loop", options.population, populations),
    ):
        shapes = targets if given is None else given
        if shapes:
            print(f"\n{title}\n{header(options.beside is not None)}", flush=True)
        for shape in shapes:
            network = stacked(options.network, shape)
            is_single = targets is singles
            members = [(0, NONE)] if is_single else population_members(network)
            threads, target = options.threads if is_single else 1, targets.get(str(network))
            rows.append(measure(network, target, members, threads, options.seconds, data, options.beside))
            rates = rates.better(_rates())
            print(rows[-1].row(rates), flush=True)
    print(
        f"\nmatrix rate {rates.operations_per_s / 1e9:.0f} GFLOP/s, memory rate {rates.bytes_per_s / 1e9:.0f} GB/s "
        f"on {machine.cores()} cores; last-level cache {(rates.cache_bytes or 0) / 1e6:.0f} MB"
    )
    print(f"{machine.load()} at the end, after {time.perf_counter() - started:.0f} s")
    impossible = [row for row in rows if row.least_s < row.floor_s(rates)]
    for row in impossible:
        print(f"impossible: {row.network} took {row.least_s:.4f} s, its floor is {row.floor_s(rates):.4f} s")
    missed = [row for row in rows if row.missed]
    if impossible or missed:
        sys.exit(f"{len(impossible)} impossible, {len(missed)} missed")


if __name__ == "__main__":
    main()
