"""A user's own script that is killed at any moment and started again ends as one that nobody disturbed."""

import os
import sys
from pathlib import Path

import pytest

from tests import program

TOOL = Path(__file__).parents[2] / "tools" / "kill_search.py"


def kill(kills):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = program.run(
        [sys.executable, TOOL, "--kills", str(kills)], env=environment, capture_output=True, text=True, timeout=500
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{kills} kills over 3 variants: 0 unreadable files" in done.stdout


@pytest.mark.slow
def test_a_few_killed_scripts_end_like_undisturbed_ones():
    kill(6)


@pytest.mark.campaign
def test_many_killed_scripts_end_like_undisturbed_ones():
    kill(60)
