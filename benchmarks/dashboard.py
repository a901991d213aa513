"""What the dashboard costs: the same run with it, in a real pseudo-terminal, and with --quiet, in turns."""

from __future__ import annotations

import sqlite3
import sys
import tempfile
from contextlib import closing
from datetime import datetime
from functools import partial
from pathlib import Path

import pexpect

from benchmarks.engine import data_folder, spread, take_turns

_RUNS = {"[4*4]": 300, "[1*1024]": 20}
"""Meta-loops of a shape: some five seconds of each. An event comes every few milliseconds, or four times a second."""
_BUDGET_S = 60.0
"""For the turns of a shape."""
COLUMNS = ["a run of", "seconds with the dashboard beside those with `--quiet`", "turns"]


def rows() -> list[list[str]]:
    """Measure; return the cells of a table's rows."""
    found = []
    for shape, loops in _RUNS.items():
        runs = [partial(_run_s, shape, loops), partial(_run_s, shape, loops, "--quiet")]
        ratios = [shown / quiet for shown, quiet in zip(*take_turns(runs, _BUDGET_S), strict=True)]
        found.append([f"`{shape}`, {loops} meta-loops", spread(ratios), str(len(ratios))])
    return found


def _run_s(shape: str, loops: int, *options: str) -> float:
    """Return the seconds from the first meta-loop's beginning to the last one's end, all that is written included."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["-m", "psa_tui", "train", "--arch", shape, "--mode", "full", "--seed", "1", *options]
        arguments += ["--dataset", "mnist", "--dataset-dir", str(data_folder().absolute())]
        arguments += ["--meta-loops", str(loops), "--model-dir", folder, "--results-dir", folder]
        child = pexpect.spawn(sys.executable, arguments, timeout=None)
        output = child.read()
        child.close()
        if child.exitstatus:
            sys.exit(f"the run failed: {output[-500:]!r}")
        with closing(sqlite3.connect(Path(folder) / "history.sqlite")) as history:
            ((started, ended),) = history.execute("SELECT started_at, ended_at FROM sessions")
    return (datetime.fromisoformat(ended) - datetime.fromisoformat(started)).total_seconds()
