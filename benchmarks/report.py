"""What a benchmark prints: the machine, tables, and what is wrong with them."""

from __future__ import annotations

import time

from benchmarks import machine
from benchmarks.engine import Measured
from benchmarks.floors import Rates
from benchmarks.issue_slots import slots_per_s

_BUSY = 0.1
"""Of the cores; so much does what is always at work on a machine not take."""


class Report:
    """Prints tables, and remembers what is wrong with them."""

    def __init__(self) -> None:
        """Look at the machine."""
        self.started = time.perf_counter()
        self.rates = rates()
        self.busiest = machine.busy()
        self.measured: list[Measured] = []
        self.left: list[str] = []
        """What there was no time for."""
        print(machine.describe())

    @property
    def seconds(self) -> float:
        """Those since the beginning."""
        return time.perf_counter() - self.started

    def look(self) -> None:
        """Measure the machine's rates and how busy it is again, while nothing else of this program is at work."""
        self.rates = self.rates.better(rates())
        self.busiest = max(self.busiest, machine.busy())

    def table(self, title: str, columns: list[str]) -> None:
        """Print the head of a table."""
        print(f"\n{title}\n")
        self.row(columns)
        self.row(["---"] * len(columns))

    def row(self, cells: list[str]) -> None:
        """Print a row of one."""
        print(f"| {' | '.join(cells)} |", flush=True)

    def end(self) -> None:
        """Print what the machine was like."""
        rates = self.rates
        print(
            f"\n{rates.operations_per_s / 1e9:.0f} GFLOP/s, {rates.slots_per_s / 1e9:.0f} G instructions/s, "
            f"{rates.bytes_per_s / 1e9:.0f} GB/s on {machine.cores()} cores; {rates.lanes} numbers a register; "
            f"last-level cache {(rates.cache_bytes or 0) / 1e6:.0f} MB; {self.seconds:.0f} s in all"
        )
        if self.busiest > _BUSY:
            print(
                f"busy machine: other programs took up to {self.busiest:.0%} of the cores between measurements; "
                "no seconds here are worth quoting, stop them and repeat"
            )

    def complaints(self) -> list[str]:
        """Return what is wrong, a line each."""
        found = [line for one in self.measured for line in one.impossible(self.rates)]
        found += [
            f"missed: {one.network}, {'population' if one.trials > 1 else 'single'}"
            for one in self.measured
            if one.missed
        ]
        return found + [f"not measured, for lack of time: {one}" for one in self.left]


def rates() -> Rates:
    """Measure what this machine does at best."""
    cores = machine.cores()
    return Rates(
        machine.matrix_rate(cores),
        cores * slots_per_s(),
        machine.lanes(),
        machine.memory_rate(cores),
        machine.cache_bytes(),
    )
