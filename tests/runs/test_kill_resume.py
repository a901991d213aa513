import os
import sys
from pathlib import Path

import pytest

from tests import program

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).parents[2] / "tools" / "kill_resume.py"

KILLED_AT_THE_LAST_WRITE = """
import os, signal, sys
from psa_tui.runs import session
from psa_tui.cli import main

write, after = session.write_checkpoint, sys.argv.pop() == "after"

def dying(path, checkpoint):
    if checkpoint.record.test_correct is None:
        return write(path, checkpoint)
    if after:
        write(path, checkpoint)
    os.kill(os.getpid(), signal.SIGKILL)

session.write_checkpoint = dying
main()
"""


KILLED_AT_EVERY_CALL = """
import itertools, os, signal, sys
from pathlib import Path
from tools import kill_resume

kill_resume.META_LOOPS = 2
train = kill_resume.arguments("hidden", 2, False)
root = Path(sys.argv[1])

def dying(at, calls):
    def mortal(call):
        def called(*arguments, **options):
            if next(calls) == at:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*arguments, **options)
        return called
    for name in ("fsync", "link", "replace"):
        setattr(os, name, mortal(getattr(os, name)))

def run(folder, words, at=None):
    folder.mkdir(exist_ok=True)
    if at is None:
        return os.waitpid(kill_resume.start(folder, *words), 0)[1]
    before = {name: getattr(os, name) for name in ("fsync", "link", "replace")}
    dying(at, itertools.count(1))
    child = kill_resume.start(folder, *words)
    for name, call in before.items():
        setattr(os, name, call)
    return os.waitpid(child, 0)[1]

twin = root / "twin"
assert run(twin, train) == 0
for at in itertools.count(1):
    victim = root / str(at)
    status = run(victim, train, at)
    if not os.WIFSIGNALED(status):
        assert status == 0, (victim / "log").read_text()
        break
    exists = kill_resume.check_readable(victim)
    assert run(victim, ["resume"] if exists else train) == 0, (victim / "log").read_text()
    assert kill_resume.outcome(victim) == kill_resume.outcome(twin), victim
print(at - 1, "kills")
"""


def test_a_kill_before_any_call_that_makes_a_file_durable_loses_nothing_and_changes_no_bit(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(SCRIPT.parents[1])}
    done = program.run(
        [sys.executable, "-c", KILLED_AT_EVERY_CALL, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=300,
        env=environment,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout.split()[0]) > 10, done.stdout


@pytest.mark.campaign
def test_kills_at_random_moments_lose_nothing_and_change_no_bit():
    done = program.run([sys.executable, SCRIPT, "--kills", "12"], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "12 kills over 6 modes: 0 unreadable files" in done.stdout


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_run_killed_at_its_last_write_still_ends_finished_with_its_test_accuracy(moment, psa):
    settings = ["train", "--dataset", "mnist5k", "--arch", "1*2", "--meta-loops", "2", "--seed", "1", "--plain"]
    killed = program.run([sys.executable, "-c", KILLED_AT_THE_LAST_WRITE, *settings, moment], capture_output=True)
    assert killed.returncode == -9, killed.stderr
    assert "finished" not in psa("status").stdout, "the history is ahead of the checkpoint, or of the session's end"
    assert psa("resume", "--plain").returncode == 0
    status = psa("status")
    assert "finished" in status.stdout
    assert "running" not in status.stdout
    shown = psa("results", "show", "latest", "--json")
    assert '"test_accuracy": 0.' in shown.stdout, shown.stdout + shown.stderr
