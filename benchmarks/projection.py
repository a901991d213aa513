"""How long the whole published study takes on this machine: 98 shapes x 6 modes x 10 trials x 100 meta-loops.

    PSA_DATASET_DIR=... python -m benchmarks.projection [--repeat 2]

A few cells of the grid are measured on all cores as a sweep runs them. A cost model, seconds a trial and meta-loop
as a sum of five non-negative terms, is fitted to them in relative error, and predicts the others; measured cells
count as measured. What leaving each measured cell out would have predicted for it says how far to trust the rest.
"""

from __future__ import annotations

import argparse
import os
import statistics
from pathlib import Path

import numpy as np
from scipy.optimize import nnls  # type: ignore[import-untyped]

from benchmarks import machine
from benchmarks.population import Processes
from psa_tui.architecture import INPUTS, Architecture, parse_architecture
from psa_tui.engine.plan import Parallelism, processes_for
from psa_tui.modes import AblationMode

GRID = Path(__file__).parent / "grid_98.txt"
MODES, TRIALS, META_LOOPS = 6, 10, 100
MEASURED = """
    1*2048 1*512 1*64 1*8 2*939 2*214 2*30 2*4 4*632 4*119 4*17 115*115 56*56 32*32 18*18 8*8 3*3
    632*4 119*4 939*2 115*2 2048*1 256*1 16*1
"""
_CELL_S = 5.0
"""Populations of costly shapes are cut down to about this many seconds a meta-loop; their trials never interact."""
_ASSUMED_OPERATIONS_PER_S = 1e11


def terms(architecture: Architecture) -> list[float]:
    """What the cost of a trial's meta-loop is made of."""
    first = INPUTS * architecture.groups[0].width
    neurons = sum(group.count * group.width for group in architecture.groups)
    return [1.0, float(first), float(architecture.parameters - first), float(neurons), float(architecture.depth)]


def members_for(architecture: Architecture) -> list[tuple[int, AblationMode]]:
    """The study's 60 trials of a shape, or as many whole seeds (at least one a core) as can be measured soon."""
    predicted = architecture.meta_loop_operations(50_000, 10_000) / _ASSUMED_OPERATIONS_PER_S
    seeds = min(TRIALS, max(machine.cores(), int(_CELL_S / predicted / MODES)))
    modes = list(AblationMode) if seeds > machine.cores() or predicted < 1 else [AblationMode.NONE]
    return [(seed, mode) for seed in range(seeds) for mode in modes]


def measure(architecture: Architecture, repeat: int, folder: Path) -> float:
    """Seconds of one trial's meta-loop, the median of ``repeat``, on all cores."""
    members = members_for(architecture)
    population = Processes(architecture, members, processes_for(len(members), "cpu"), Parallelism(1, 1), folder)
    seconds = statistics.median(population.meta_loop() / len(members) for _ in range(repeat))
    population.close()
    return seconds


def fit(shapes: list[Architecture], seconds: list[float]) -> np.ndarray:
    """The weights of ``terms`` that come closest to ``seconds``, relative to each."""
    rows = np.array([terms(shape) for shape in shapes]) / np.array(seconds)[:, None]
    scale = rows.max(0)
    weights, _ = nnls(rows / scale, np.ones(len(rows)))
    return np.asarray(weights / scale)


def main() -> None:
    """Measure, fit, and print the study's cells, the longest first."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=2)
    options = parser.parse_args()
    folder = Path(os.environ.get("PSA_DATASET_DIR", "dataset"))
    print(machine.describe())
    print(machine.load(), flush=True)
    shapes = [parse_architecture(line) for line in GRID.read_text().split()]
    chosen = [parse_architecture(text) for text in MEASURED.split()]
    measured = {}
    for shape in chosen:
        measured[shape] = measure(shape, options.repeat, folder)
        print(f"{shape!s:<12}{measured[shape]:>9.4f} s a trial and meta-loop", flush=True)
    weights = fit(chosen, list(measured.values()))
    errors = []
    for shape in chosen:
        others = [other for other in chosen if other != shape]
        guess = np.dot(terms(shape), fit(others, [measured[other] for other in others]))
        errors.append(abs(guess / measured[shape] - 1))
    print(f"\nleft out, a cell is predicted within {statistics.median(errors):.0%} (median), {max(errors):.0%} (worst)")
    cells = sorted(
        ((measured.get(shape, float(np.dot(terms(shape), weights))), shape) for shape in shapes),
        key=lambda cell: -cell[0],
    )
    total = 0.0
    print(f"\n{'shape':<12}{'s a trial and loop':>20}{'hours a shape':>15}{'hours so far':>14}")
    for seconds, shape in cells:
        hours = seconds * MODES * TRIALS * META_LOOPS / 3600
        total += hours
        mark = "" if shape in measured else "  predicted"
        print(f"{shape!s:<12}{seconds:>20.4f}{hours:>15.2f}{total:>14.1f}{mark}")
    print(f"\nthe whole study: {total:.1f} hours on {machine.cores()} cores; {machine.load()} at the end")


if __name__ == "__main__":
    main()
