"""All measurements that docs/performance.md tells of, as its tables, in less than ten minutes.

    PSA_DATASET_DIR=... python -m benchmarks [PART ...] [--beside FOLDER] [--shape SHAPE ...] [--network FAMILY]

Parts are startup, memory, dashboard, single and population; all of them if none is named. With --beside the version of
psa_tui in that folder takes turns with this one. Ends with 1 where something is impossible, missed, or left for lack
of time.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from benchmarks import dashboard, machine, memory, startup
from benchmarks.engine import POPULATION, RESIDUAL, SINGLE, Measured, columns, data_folder, measure, population_members
from benchmarks.floors import Rates, operations
from benchmarks.issue_slots import slots_per_s
from benchmarks.population import SPEC, THIS, stacked
from psa_tui.data import load_dataset
from psa_tui.method.variants import NONE
from psa_tui.networks import NETWORKS, Mlp
from psa_tui.networks.stacked import StackedNetwork

PARTS = ("startup", "memory", "dashboard", "single", "population")
_TITLES = {
    "single": "One run: seconds per meta-loop, limits in percent of them",
    "population": "A population in six modes: seconds per trial and meta-loop",
}
_LAST_BEGIN_S = 550.0
"""No shape is begun later; those that are late are small."""
_MOST_S = 15.0
"""For a shape, unless so many turns as count take longer."""
_BUSY = 0.1
"""Of the cores; so much does what is always at work on a machine not take."""


class Report:
    """Prints tables, and remembers what is wrong with them."""

    def __init__(self) -> None:
        """Look at the machine."""
        self.started = time.perf_counter()
        self.rates = _rates()
        self.busiest = machine.busy()
        self.measured: list[Measured] = []
        self.left: list[str] = []
        print(machine.describe())

    @property
    def seconds(self) -> float:
        """Those since the beginning."""
        return time.perf_counter() - self.started

    def look(self) -> None:
        """Measure the machine's rates and how busy it is again, while nothing else of this program is at work."""
        self.rates = self.rates.better(_rates())
        self.busiest = max(self.busiest, machine.busy())

    def table(self, title: str, columns: list[str]) -> None:
        """Print the head of a table."""
        print(f"\n{title}\n")
        self.row(columns)
        self.row(["---"] * len(columns))

    def row(self, cells: list[str]) -> None:
        """Print a row of one."""
        print(f"| {' | '.join(cells)} |", flush=True)

    def complaints(self) -> list[str]:
        """Return what is wrong, a line each."""
        found = [line for one in self.measured for line in one.impossible(self.rates)]
        found += [
            f"missed: {one.network}, {'population' if one.trials > 1 else 'single'}"
            for one in self.measured
            if one.missed
        ]
        return found + [f"not measured, for lack of time: {one}" for one in self.left]


def shapes_of(part: str, options: argparse.Namespace) -> list[tuple[StackedNetwork, float | None]]:
    """Return the networks that a part measures, and the ratios wanted."""
    singles, populations = (SINGLE, POPULATION) if options.network == Mlp.family else ({}, RESIDUAL)
    targets = singles if part == "single" else populations
    networks = [stacked(options.network, shape) for shape in options.shape or targets]
    # The largest first: if time runs short, what is left takes seconds.
    networks.sort(key=operations, reverse=True)
    return [(network, targets.get(str(network))) for network in networks]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--shape", action="append", help="instead of those with a ratio to be reached")
    parser.add_argument("--network", choices=list(NETWORKS), default=Mlp.family, help="the family")
    parser.add_argument("--threads", type=int, help="of one run; otherwise as many as each version takes")
    parser.add_argument("--beside", type=Path, metavar="FOLDER", help="a checkout of another version")
    options = parser.parse_args()
    parts = options.parts or PARTS
    report = Report()
    if options.beside is not None:
        print(f"other: {options.beside}; gain: how many times faster this version is")
    versions = [(THIS, ""), *([] if options.beside is None else [(options.beside, ", other")])]
    for part, title, module in (("startup", "Start", startup), ("memory", "Memory", memory)):
        if part in parts:
            report.table(title, module.COLUMNS)
            for version, name in versions:
                for row in module.rows(version, name):
                    report.row(row)
            report.look()
    if "dashboard" in parts:
        report.table("The dashboard", dashboard.COLUMNS)
        for row in dashboard.rows():
            report.row(row)
        report.look()
    measure_shapes(report, [part for part in parts if part in _TITLES], options)
    rates = report.rates
    print(
        f"\n{rates.operations_per_s / 1e9:.0f} GFLOP/s, {rates.slots_per_s / 1e9:.0f} G instructions/s, "
        f"{rates.bytes_per_s / 1e9:.0f} GB/s on {machine.cores()} cores; {rates.lanes} numbers a register; "
        f"last-level cache {(rates.cache_bytes or 0) / 1e6:.0f} MB; {report.seconds:.0f} s in all"
    )
    if report.busiest > _BUSY:
        print(
            f"busy machine: other programs took up to {report.busiest:.0%} of the cores between measurements; "
            "no figure here is worth quoting, stop them and repeat"
        )
    if complaints := report.complaints():
        sys.exit("\n".join(complaints))


def measure_shapes(report: Report, parts: list[str], options: argparse.Namespace) -> None:
    """Print a table for each of ``parts``; the time that is left is divided among the shapes that are."""
    work = {part: shapes_of(part, options) for part in parts}
    remaining = sum(len(shapes) for shapes in work.values())
    data = load_dataset(SPEC.name, data_folder()) if remaining else None
    for part, shapes in work.items():
        if shapes:
            report.table(_TITLES[part], columns(options.beside is not None))
        for network, target in shapes:
            if report.seconds > _LAST_BEGIN_S:
                report.left.append(f"{network}, {part}")
                continue
            assert data is not None
            single = part == "single"
            members = [(0, NONE)] if single else population_members(network)
            budget_s = min(_MOST_S, (_LAST_BEGIN_S - report.seconds) / remaining)
            threads = options.threads if single else 1
            measured = measure(network, target, members, threads, budget_s, data, options.beside)
            report.look()
            report.measured.append(measured)
            report.row(measured.cells(report.rates))
            remaining -= 1


def _rates() -> Rates:
    cores = machine.cores()
    return Rates(
        machine.matrix_rate(cores),
        cores * slots_per_s(),
        machine.lanes(),
        machine.memory_rate(cores),
        machine.cache_bytes(),
    )


if __name__ == "__main__":
    main()
