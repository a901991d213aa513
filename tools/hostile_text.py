"""Send hostile text through every view and compare the bytes that come out.

``python tools/hostile_text.py --strings 5000`` runs ``tests/views/test_hostile_text.py`` with so many strings, and
``--loops 1000000`` the tests of what a run of so many loops takes in memory; it exits 1 when one fails.
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
    parser.add_argument("--loops", type=int, default=1_000_000)
    arguments = parser.parse_args()
    sizes = {"HOSTILE_STRINGS": str(arguments.strings), "MANY_LOOPS": str(arguments.loops)}
    tests = [str(_TESTS / name) for name in ("views/test_hostile_text.py", "runs/test_many_loops.py")]
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", *tests]
    return subprocess.run(command, env=os.environ | sizes, cwd=_TESTS.parent, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
