"""How much memory a run and a study take: that of all their processes, in which what they share counts once."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from benchmarks.engine import data_folder
from benchmarks.startup import PROGRAM, environment_of

_EVERY_S = 0.05
_RUN = ("train", "--meta-loops", "3", "--arch")
_STUDY = ("reproduce", "run", "--trials", "10", "--meta-loops", "3", "--workers", "2", "--grid")
COLUMNS = ["a program of", "MB at most, looked at twenty times a second"]


def rows(versions: Mapping[str, Path]) -> list[list[str]]:
    """Measure the ``versions``, each a name and the folder of psa_tui; return the cells of a table's rows."""
    kinds = {
        "one run of `[1*1024]`": (*_RUN, "[1*1024]"),
        "sixty trials of `8*8`, a second worker without work": (*_STUDY, "8*8,"),
        "two workers at sixty trials each, `1*64` and `1*63`": (*_STUDY, "1*64,1*63"),
    }
    return [
        [f"{kind}{name}", f"{_peak_bytes(version, line) / 1e6:,.0f}"]
        for kind, line in kinds.items()
        for name, version in versions.items()
    ]


def _peak_bytes(version: Path, line: Sequence[str]) -> int:
    with tempfile.TemporaryDirectory() as folder:
        places = ["--plain", "--dataset", "mnist", "--dataset-dir", str(data_folder().absolute())]
        places += ["--results-dir", folder, *(["--model-dir", folder] if line[0] == "train" else [])]
        process = psutil.Popen(
            [*PROGRAM, *line, *places],
            env=environment_of(version),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        peak = 0
        while process.poll() is None:
            peak = max(peak, sum(map(_bytes, [process, *_children(process)])))
            time.sleep(_EVERY_S)
        if process.returncode:
            sys.exit(f"psa {' '.join(line)} failed: {process.stderr.read().decode()}")
        return peak


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def _bytes(process: psutil.Process) -> int:
    """Return the resident bytes of a process, its part of those that others share (on macOS without them)."""
    try:
        used = process.memory_full_info()
    except psutil.Error:
        return 0
    found: int = getattr(used, "pss", used.uss)
    return found
