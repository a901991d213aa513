"""What a measurement was made on: hardware, versions, load, and the rate that no matrix product exceeds."""

from __future__ import annotations

import os
import platform
import time

import torch

from psa_tui.machine.devices import detect

_SIZES = (512, 1024, 2048)
_MEASURE_S = 0.5


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def describe() -> str:
    """Return the machine and the versions, in two lines."""
    found = detect()
    versions = ", ".join(f"{name} {version}" for name, version in found.versions.items() if version)
    return f"{found.cpu}, {cores()} cores, {torch.backends.cpu.get_cpu_capability()}, {found.system}\n{versions}"


def load() -> str:
    """Return how busy the machine is; other programs make every figure worse, and not by the same factor."""
    return f"{platform.node()}, load average {os.getloadavg()[0]:.1f}"


def matrix_rate(threads: int) -> float:
    """Return the best float32 operations per second of a square matrix product on ``threads`` threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    best = 0.0
    for size in _SIZES:
        left, right, product = (torch.randn(size, size) for _ in range(3))
        ends = time.perf_counter() + _MEASURE_S
        while (started := time.perf_counter()) < ends:
            torch.mm(left, right, out=product)
            best = max(best, 2 * size**3 / (time.perf_counter() - started))
    torch.set_num_threads(before)
    return best
