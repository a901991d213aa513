import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).parent.parent / "tools" / "kill_resume.py"

KILLED_AT_THE_LAST_WRITE = """
import os, signal, sys
from psa_tui import runner
from psa_tui.cli import main

write, after = runner.write_checkpoint, sys.argv.pop() == "after"

def dying(path, checkpoint):
    if checkpoint.record.test_correct is None:
        return write(path, checkpoint)
    if after:
        write(path, checkpoint)
    os.kill(os.getpid(), signal.SIGKILL)

runner.write_checkpoint = dying
main()
"""


def test_sixty_kills_at_random_moments_lose_nothing_and_change_no_bit():
    done = subprocess.run([sys.executable, SCRIPT, "--kills", "60"], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "60 kills over 6 modes: 0 unreadable files" in done.stdout


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_run_killed_at_its_last_write_still_ends_finished_with_its_test_accuracy(moment, psa):
    settings = ["train", "--dataset", "mnist5k", "--arch", "1*2", "--meta-loops", "2", "--seed", "1", "--plain"]
    killed = subprocess.run([sys.executable, "-c", KILLED_AT_THE_LAST_WRITE, *settings, moment], capture_output=True)
    assert killed.returncode == -9, killed.stderr
    assert psa("resume", "--plain").returncode == 0
    status = psa("status")
    assert "finished" in status.stdout
    assert "running" not in status.stdout
    shown = psa("results", "show", "latest", "--json")
    assert '"test_accuracy": 0.' in shown.stdout, shown.stdout + shown.stderr
