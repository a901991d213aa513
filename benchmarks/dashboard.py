"""What the dashboard costs: the same run with it, in a real pseudo-terminal, and with --quiet, in turns."""

from __future__ import annotations

import re
import sys
import tempfile
from functools import partial

import pexpect

from benchmarks.engine import data_folder, spread, take_turns

_ARCH, _LOOPS = "[4*4]", 200
"""Its loops are short: an event comes every few hundredths of a second."""
COLUMNS = ["a run of", "seconds with the dashboard beside those with `--quiet`", "turns"]


def rows() -> list[list[str]]:
    """Measure; return the cells of a table's row."""
    shown_s, quiet_s = take_turns([partial(_run_s), partial(_run_s, "--quiet")], 0.0)
    ratios = [shown / quiet for shown, quiet in zip(shown_s, quiet_s, strict=True)]
    return [[f"`{_ARCH}`, {_LOOPS} meta-loops", spread(ratios), str(len(ratios))]]


def _run_s(*options: str) -> float:
    """Return the seconds that a run reports, from its start to its end."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["-m", "psa_tui", "train", "--arch", _ARCH, "--mode", "full", "--seed", "1", *options]
        arguments += ["--dataset", "mnist", "--dataset-dir", str(data_folder().absolute())]
        arguments += ["--meta-loops", str(_LOOPS), "--model-dir", folder, "--results-dir", folder]
        child = pexpect.spawn(sys.executable, arguments, timeout=None)
        output = child.read()
        child.close()
    found = re.search(rb"finished: \d+ of \d+ meta-loops, ([\d.]+) s", output)
    if child.exitstatus or found is None:
        sys.exit(f"the run failed: {output[-500:]!r}")
    return float(found[1])
