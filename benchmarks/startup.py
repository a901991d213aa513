"""Seconds from a process's start to the help, a first frame in a terminal, and the first training step of a run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import pexpect

from benchmarks.engine import data_folder, spread, take_turns

_ARCH = "[4*4, 2*8]"
PROGRAM = [sys.executable, "-P", "-m", "psa_tui"]
COLUMNS = ["from the start of the process", "s", "turns"]


def rows(versions: Mapping[str, Path]) -> list[list[str]]:
    """Measure the ``versions``, each a name and the folder of psa_tui, in turns; return the cells of a table's rows."""
    kinds: dict[str, Callable[[], float]] = {}
    for name, version in versions.items():
        kinds |= {
            f"to the end of `psa --help`{name}": partial(_help_s, version),
            f"to the first frame in a terminal{name}": partial(_first_frame_s, version),
            f"to the first step of `{_ARCH}`, kernels to be compiled{name}": partial(
                _first_step_s, version, fresh=True
            ),
            f"to the first step, kernels in the cache{name}": partial(_first_step_s, version),
            f"to the first step, `--backend torch`{name}": partial(_first_step_s, version, "--backend", "torch"),
        }
        # What is compiled for the cache now is in it when it counts.
        _first_step_s(version)
    found = take_turns(list(kinds.values()), 0.0)
    return [[kind, spread(s), str(len(s))] for kind, s in zip(kinds, found, strict=True)]


def _help_s(version: Path) -> float:
    started = time.perf_counter()
    subprocess.run([*PROGRAM, "--help"], check=True, stdout=subprocess.DEVNULL, env=environment_of(version))
    return time.perf_counter() - started


def _first_frame_s(version: Path) -> float:
    """Return the seconds until a terminal shows that something loads; the run is stopped then."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**environment_of(version), "TERM": "xterm-256color"}
        line = _training(folder)
        started = time.perf_counter()
        terminal = pexpect.spawn(line[0], line[1:], env=environment, dimensions=(24, 80))
        terminal.expect("loading PyTorch")
        seconds = time.perf_counter() - started
        terminal.sendcontrol("c")
        terminal.expect(pexpect.EOF)
        terminal.close()
        return seconds


def _training(folder: str) -> list[str]:
    line = [*PROGRAM, "train", "--dataset", "mnist", "--dataset-dir", str(data_folder().absolute())]
    return [*line, "--arch", _ARCH, "--meta-loops", "1000", "--model-dir", folder, "--results-dir", folder]


def _first_step_s(version: Path, *options: str, fresh: bool = False) -> float:
    """Return the seconds to the first training step; a ``fresh`` user has no kernels in a cache."""
    with tempfile.TemporaryDirectory() as folder:
        line = [*_training(folder), "--json", *options]
        environment = environment_of(version)
        if fresh:
            # Where Linux and macOS look for the user's cache.
            environment |= {"XDG_CACHE_HOME": folder, "HOME": folder}
        started = time.perf_counter()
        with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            try:
                for event in process.stdout:
                    if json.loads(event)["event"] == "epoch_progressed":
                        return time.perf_counter() - started
            finally:
                process.kill()
            sys.exit(f"the psa_tui of {version} ended before its first training step: {process.stderr.read().decode()}")


def environment_of(version: Path) -> dict[str, str]:
    """Return the environment in which ``PROGRAM`` is the ``version`` in a folder."""
    return {**os.environ, "PYTHONPATH": str(version.absolute())}
