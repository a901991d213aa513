"""What a measurement was made on: hardware, versions, load, and the rates that nothing exceeds."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from pathlib import Path

import psutil
import torch

from psa_tui.machine.devices import detect

_SIZES = (512, 1024, 2048)
_MEASURE_S = 0.25
_LOOK_S = 0.25
_MEMORY_BYTES = 512 << 20
"""Many times a last-level cache."""


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def describe() -> str:
    """Return the machine and the versions, in two lines."""
    found = detect()
    versions = ", ".join(f"{name} {version}" for name, version in found.versions.items() if version)
    return f"{found.cpu}, {cores()} cores, {torch.backends.cpu.get_cpu_capability()}, {found.system}\n{versions}"


def busy() -> float:
    """Return which fraction of the cores works while this program does not: everybody else's, measured in a moment."""
    busiest: float = psutil.cpu_percent(_LOOK_S)
    return busiest / 100


def load() -> str:
    """Return how busy the machine is; other programs make every figure worse, and not by the same factor."""
    return f"other programs take {busy():.0%} of the cores"


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


def memory_rate(threads: int) -> float:
    """Return the best bytes per second, read and written in place, that pass between ``threads`` threads and memory."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    numbers = torch.zeros(_MEMORY_BYTES // 4)
    best = 0.0
    ends = time.perf_counter() + _MEASURE_S
    while (started := time.perf_counter()) < ends:
        numbers.add_(1)
        best = max(best, 2 * _MEMORY_BYTES / (time.perf_counter() - started))
    torch.set_num_threads(before)
    return best


def cache_bytes() -> int | None:
    """Return the size of the last-level cache as the system tells it; None where it does not."""
    if platform.system() == "Darwin":
        for name in ("hw.l3cachesize", "hw.perflevel0.l2cachesize"):
            done = subprocess.run(["/usr/sbin/sysctl", "-n", name], capture_output=True, text=True, check=False)
            if done.stdout.strip().isdigit() and int(done.stdout):
                return int(done.stdout)
        return None
    units = {"K": 1 << 10, "M": 1 << 20}
    sizes = [path.read_text().strip() for path in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size")]
    return max((int(size[:-1]) * units[size[-1]] for size in sizes if size[-1:] in units), default=None)


def lanes() -> int:
    """Return how many float32 are in a vector register."""
    return {"AVX512": 16, "AVX2": 8}.get(torch.backends.cpu.get_cpu_capability(), 4)
