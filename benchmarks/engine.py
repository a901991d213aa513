"""The engine beside the plain reference loop: seconds per meta-loop of one run, and per trial of a population.

    PSA_DATASET_DIR=... python -m benchmarks.engine [--pairs 5] [--single SHAPE ...] [--population SHAPE ...]

A meta-loop trains on 50,000 images and validates on 10,000, batch 256. Reference and engine take turns, whole
meta-loops each; what counts is the median of the ratios. The engine has processes of its own, as it has for a
user: autograd leaves the reference's process a second pool of threads, beside which the first wakes slowly. The
reference computes with PyTorch's default threads.

Floors are the engine's operations over this machine's matrix rate, measured before and after; a time below its
floor is impossible, and fails the benchmark. The engine multiplies pixels that are not black only, and trains members
that are equal to the bit once: fifty of sixty trials at these rates, where mode decay is the control. (It leaves out
dead units too, which no floor knows of.) "dense" is the floor of all trials with all 784 pixels. A population's peak
memory is that of all its processes; the files they share count once.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks import machine
from benchmarks.population import BACKEND, SPEC, Member, Processes, distinct, mlp
from benchmarks.reference import BATCH, Reference
from psa_tui.data import Dataset, load_dataset
from psa_tui.engine.parallelism import processes_for, threads_for
from psa_tui.method.variants import NONE, PUBLISHED
from psa_tui.networks.mlp import Mlp

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
POPULATION_MEMBERS = [(seed, variant) for seed in range(10) for variant in PUBLISHED]


@dataclass(frozen=True, slots=True)
class Measured:
    """What one shape's pairs measured, in seconds per trial and meta-loop."""

    network: Mlp
    target: float | None
    reference_s: list[float]
    engine_s: list[float]
    layout: str
    pixels: int
    """How many of a training image's 784 are not black: the mean."""
    distinct: float
    """The fraction of the trials that differ from the others, and have to be computed."""

    @property
    def ratios(self) -> list[float]:
        """How many times faster the engine was, pair by pair."""
        return [slow / fast for slow, fast in zip(self.reference_s, self.engine_s, strict=True)]

    def floor_s(self, rate: float) -> float:
        """Return the least seconds the engine's arithmetic can take at ``rate`` operations per second."""
        return self.distinct * self._operations(self.pixels) / rate

    def dense_floor_s(self, rate: float) -> float:
        """Return the least seconds of every trial with all 784 pixels, as the reference multiplies them."""
        return self._operations(None) / rate

    def _operations(self, pixels: int | None) -> int:
        return self.network.meta_loop_operations(SPEC.train_count, SPEC.validation_count, pixels)

    def row(self, rate: float) -> str:
        """Return one line of the table."""
        reference, engine, ratio = map(statistics.median, (self.reference_s, self.engine_s, self.ratios))
        target = "" if self.target is None else f"{self.target:g}"
        missed = "" if self.target is None or ratio >= self.target else "  MISSED"
        return (
            f"{self.network!s:<13}{reference:>10.3f}{engine:>10.4f}{self.dense_floor_s(rate):>9.4f}{self.floor_s(rate):>9.4f}{ratio:>8.1f}"
            f"{min(self.ratios):>8.1f}{max(self.ratios):>8.1f}{target:>8}  {self.layout}{missed}"
        )


HEADER = (
    f"{'shape':<13}{'reference':>10}{'engine':>10}{'dense':>9}{'floor':>9}"
    f"{'ratio':>8}{'least':>8}{'most':>8}{'target':>8}  layout"
)


def measure(
    network: Mlp, target: float | None, members: list[Member], threads: int, pairs: int, data: Dataset
) -> Measured:
    """Measure ``members`` beside the reference; seconds are per trial."""
    processes = processes_for(len(members), "cpu")
    reference = Reference(network, data)
    reference.meta_loop()
    population = Processes(network, members, processes, threads, data_folder())
    slow, fast = _pairs(lambda: _seconds(reference.meta_loop), lambda: population.meta_loop() / len(members), pairs)
    layout = (
        f"{_count(processes, 'process', 'es')}, {_count(threads, 'thread', 's')} each, "
        f"peak {population.peak_bytes / 1e6:,.0f} MB"
    )
    population.close()
    return Measured(network, target, slow, fast, layout, population.pixels, distinct(members) / len(members))


def _pairs(
    run_reference: Callable[[], float], run_engine: Callable[[], float], pairs: int
) -> tuple[list[float], list[float]]:
    """Return the seconds of each, taken in turn; every second pair the other way round."""
    slow, fast = [], []
    for pair in range(pairs):
        if pair % 2:
            fast.append(run_engine())
            slow.append(run_reference())
        else:
            slow.append(run_reference())
            fast.append(run_engine())
    return slow, fast


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _count(number: int, thing: str, plural: str) -> str:
    return f"{number} {thing}{plural if number > 1 else ''}"


def data_folder() -> Path:
    """Return where MNIST is."""
    return Path(os.environ.get("PSA_DATASET_DIR", "dataset"))


def main() -> None:
    """Measure and print the two tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--single", nargs="*", metavar="SHAPE", default=list(SINGLE))
    parser.add_argument("--population", nargs="*", metavar="SHAPE", default=list(POPULATION))
    options = parser.parse_args()
    data = load_dataset(SPEC.name, data_folder())
    cores = machine.cores()
    one, every = machine.matrix_rate(1), machine.matrix_rate(cores)
    print(machine.describe())
    print(f"{machine.load()}; {options.pairs} pairs a shape; seconds are medians", flush=True)
    rows = []
    for title, shapes, targets in (
        ("one run: seconds per meta-loop", options.single, SINGLE),
        (
            f"{len(POPULATION_MEMBERS)} trials (six modes): seconds per trial and meta-loop",
            options.population,
            POPULATION,
        ),
    ):
        if shapes:
            print(f"\n{title}\n{HEADER}", flush=True)
        for shape in shapes:
            network = mlp(shape)
            target = targets.get(str(network))
            single = targets is SINGLE
            members = [(0, NONE)] if single else POPULATION_MEMBERS
            threads = threads_for(network, BACKEND, BATCH, "cpu", None) if single else 1
            rows.append(measure(network, target, members, threads, options.pairs, data))
            print(rows[-1].row(every), flush=True)
    one, every = max(one, machine.matrix_rate(1)), max(every, machine.matrix_rate(cores))
    print(f"\nmatrix rate {one / 1e9:.0f} GFLOP/s on one thread, {every / 1e9:.0f} on {cores}")
    print(f"{machine.load()} at the end")
    impossible = [row for row in rows if min(row.engine_s) < row.floor_s(every)]
    for row in impossible:
        print(f"impossible: {row.network} took {min(row.engine_s):.4f} s, its floor is {row.floor_s(every):.4f} s")
    missed = [row for row in rows if row.target is not None and statistics.median(row.ratios) < row.target]
    if impossible or missed:
        sys.exit(f"{len(impossible)} impossible, {len(missed)} missed")


if __name__ == "__main__":
    main()
