"""All measurements that docs/performance.md tells of, as its tables, in less than ten minutes.

    PSA_DATASET_DIR=... python -m benchmarks [PART ...] [--beside FOLDER] [--shape SHAPE ...] [--network FAMILY]

Parts are startup, memory, dashboard, single and population; all of them if none is named. With --beside the version of
psa_tui in that folder takes turns with this one. Ends with 1 where something is impossible, missed, or left for lack
of time.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import psutil

from benchmarks import dashboard, memory, startup
from benchmarks.engine import POPULATION, RESIDUAL, SINGLE, columns, data_folder, measure, population_members
from benchmarks.floors import operations
from benchmarks.population import SPEC, THIS, stacked
from benchmarks.report import Report
from psa_tui.data import Dataset, load_dataset
from psa_tui.errors import PsaError
from psa_tui.method.variants import NONE
from psa_tui.networks import NETWORKS, Mlp
from psa_tui.networks.stacked import StackedNetwork

PARTS = ("startup", "memory", "dashboard", "single", "population")
_TITLES = {
    "single": "One run: seconds per meta-loop, limits in percent of them",
    "population": "A population in six modes: seconds per trial and meta-loop",
}
_LIMIT_S = 590.0
_MOST_S = 15.0
"""For a shape, unless so many turns as count take longer."""

Task = tuple[str, Callable[[], None]]
"""A name, and what measures and prints."""


class OutOfTimeError(Exception):
    """The program has taken as long as it may."""


def tasks_of(options: argparse.Namespace, report: Report, data: Dataset) -> Iterator[Task]:
    """Yield what is to be done, in order."""
    parts = options.parts or PARTS
    versions = {"": THIS} | ({} if options.beside is None else {", other": options.beside})
    for part, title, module in (("startup", "Start", startup), ("memory", "Memory", memory)):
        if part in parts:
            yield part, partial(_table, report, title, module.COLUMNS, partial(module.rows, versions))
    if "dashboard" in parts:
        yield "dashboard", partial(_table, report, "The dashboard", dashboard.COLUMNS, dashboard.rows)
    for part in _TITLES:
        shapes = shapes_of(part, options) if part in parts else []
        for at, (network, target) in enumerate(shapes):
            head = _TITLES[part] if at == 0 else None
            yield (
                f"{network}, {part}",
                partial(_shape, report, data, options, part, head, network, target, len(shapes) - at),
            )


def shapes_of(part: str, options: argparse.Namespace) -> list[tuple[StackedNetwork, float | None]]:
    """Return the networks that a part measures, and the ratios wanted."""
    singles, populations = (SINGLE, POPULATION) if options.network == Mlp.family else ({}, RESIDUAL)
    targets = singles if part == "single" else populations
    networks = [stacked(options.network, shape) for shape in options.shape or targets]
    # The largest first: if time runs short, what is left takes seconds.
    networks.sort(key=operations, reverse=True)
    return [(network, targets.get(str(network))) for network in networks]


def run(tasks: list[Task], limit_s: float) -> list[str]:
    """Do ``tasks`` until ``limit_s`` are over; return the names of those that are not done then."""
    done, others = 0, psutil.Process().children(recursive=True)
    before = signal.signal(signal.SIGALRM, _out_of_time)
    signal.setitimer(signal.ITIMER_REAL, limit_s)
    try:
        for _, task in tasks:
            task()
            done += 1
    except OutOfTimeError:
        for child in psutil.Process().children(recursive=True):
            if child not in others:
                child.kill()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    return [name for name, _ in tasks[done:]]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--shape", action="append", help="instead of those with a ratio to be reached")
    parser.add_argument("--network", choices=list(NETWORKS), default=Mlp.family, help="the family")
    parser.add_argument("--threads", type=int, help="of one run; otherwise as many as each version takes")
    parser.add_argument("--beside", type=Path, metavar="FOLDER", help="a checkout of another version")
    options = parser.parse_args()
    try:
        data = load_dataset(SPEC.name, data_folder())
    except PsaError as error:
        sys.exit(f"{error}; or say in PSA_DATASET_DIR where it is")
    report = Report()
    if options.beside is not None:
        print(f"other: {options.beside}; gain: how many times faster this version is")
    report.left = run(list(tasks_of(options, report, data)), _LIMIT_S - report.seconds)
    report.end()
    if complaints := report.complaints():
        sys.exit("\n".join(complaints))


def _table(report: Report, title: str, names: list[str], rows: Callable[[], list[list[str]]]) -> None:
    report.table(title, names)
    for row in rows():
        report.row(row)
    report.look()


def _shape(
    report: Report,
    data: Dataset,
    options: argparse.Namespace,
    part: str,
    head: str | None,
    network: StackedNetwork,
    target: float | None,
    left: int,
) -> None:
    """Measure a shape, when ``left`` of its table are left; the first has the table's ``head``."""
    if head is not None:
        report.table(head, columns(options.beside is not None))
    single = part == "single"
    members = [(0, NONE)] if single else population_members(network)
    budget_s = min(_MOST_S, (_LIMIT_S - report.seconds) / left)
    threads = options.threads if single else 1
    measured = measure(network, target, members, threads, budget_s, data, options.beside)
    report.look()
    report.measured.append(measured)
    report.row(measured.cells(report.rates))


def _out_of_time(number: int, frame: object) -> None:
    raise OutOfTimeError


if __name__ == "__main__":
    main()
