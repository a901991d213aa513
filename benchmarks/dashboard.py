"""What the dashboard costs: the same run with it, in a real pseudo-terminal, and with --quiet, in turns.

    PSA_DATASET_DIR=... python benchmarks/dashboard.py [--pairs 3] [--arch "[4*4]" --arch "[1*1024]"]

Prints the median of the ratios (dashboard over quiet) of the seconds that the runs report themselves.
"""

from __future__ import annotations

import argparse
import re
import statistics
import sys
import tempfile

import pexpect

_LOOPS = {"[1*1024]": 10, "[4*4]": 300}
_DEFAULT = ["[4*4]"]
"""Its loops are short: an event comes every few hundredths of a second."""


def seconds(architecture: str, loops: int, *options: str) -> float:
    """Return the seconds that a run of ``loops`` meta-loops reports, from its start to its end."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["-m", "psa_tui", "train", "--arch", architecture, "--mode", "full", "--seed", "1"]
        arguments += ["--meta-loops", str(loops), "--model-dir", folder, "--results-dir", folder, *options]
        output, status = pexpect.run(
            f"{sys.executable} " + " ".join(f"'{word}'" for word in arguments),
            timeout=None,
            withexitstatus=True,
            env=None,
        )
        found = re.search(rb"finished: \d+ of \d+ meta-loops, ([\d.]+) s", output)
        if status or found is None:
            raise SystemExit(f"the run failed: {output[-500:]!r}")
        return float(found[1])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--arch", action="append", default=[])
    options = parser.parse_args()
    for architecture in options.arch or _DEFAULT:
        loops = _LOOPS.get(architecture, 20)
        ratios = []
        for pair in range(options.pairs):
            views = [(), ("--quiet",)] if pair % 2 else [("--quiet",), ()]
            measured = {view: seconds(architecture, loops, *view) for view in views}
            ratios.append(measured[()] / measured[("--quiet",)])
        print(
            f"{architecture:<10} dashboard / quiet: median {statistics.median(ratios):.3f} "
            f"({min(ratios):.3f} to {max(ratios):.3f}, {options.pairs} pairs of {loops} meta-loops)"
        )


if __name__ == "__main__":
    main()
