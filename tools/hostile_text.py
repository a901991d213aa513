"""Send hostile text through every view and compare the bytes that come out.

``python tools/hostile_text.py --strings 5000`` runs the tests of hostile text with so many strings, ``--piece 2/10``
with the second tenth of them, and ``--loops 1000000`` those of what a run of so many loops takes in memory; it exits 1
when one fails.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

_TESTS = Path(__file__).parent.parent / "tests"


def main() -> int:
    """Run the tests."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--strings", type=int, default=5000)
    parser.add_argument("--piece", default="1/1", help="which part of the strings, such as 2/10")
    parser.add_argument("--loops", type=int, default=1_000_000, help="0: those tests are left out")
    arguments = parser.parse_args()
    sizes = {"HOSTILE_STRINGS": str(arguments.strings), "HOSTILE_PIECE": arguments.piece}
    sizes |= {"MANY_LOOPS": str(arguments.loops)}
    names = ["views/test_hostile_text.py", "views/test_hostile_screens.py", "views/workbench/test_hostile_text.py"]
    names += ["runs/test_many_loops.py"] if arguments.loops else []
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", *(str(_TESTS / name) for name in names)]
    return subprocess.run(command, env=os.environ | sizes, cwd=_TESTS.parent, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
