"""What is said and kept where a run's last write fails, and where its checkpoint was copied or linked."""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from psa_tui.runs.checkpoint_files import DEFAULT_NAME
from psa_tui.storage.checkpoint import read_checkpoint
from tests import program

LKG = Path("models") / DEFAULT_NAME
TINY = ("train", "--dataset", "mnist5k", "--arch", "[1*4]", "--lr", "1e-2", "--seed", "3", "--threads", "1", "--quiet")
FAILING = """
import errno, os, stat, sys
from psa_tui.cli import main
from psa_tui.runs import session
from psa_tui.storage import atomic_write

sync, write, moment = atomic_write._sync, session.write_checkpoint, sys.argv.pop()

def failing(descriptor):
    if stat.S_ISDIR(os.fstat(descriptor).st_mode) == (moment == "folder"):
        raise OSError(errno.EIO, "Input/output error")
    sync(descriptor)

def write_checkpoint(path, checkpoint):
    if checkpoint.record.test_correct is not None:
        atomic_write._sync = failing
    write(path, checkpoint)

session.write_checkpoint = write_checkpoint
main()
"""


def runs(psa):
    return [(run["run"], run["state"]) for run in json.loads(psa("results", "runs", "--json").stdout)["runs"]]


@pytest.mark.parametrize(
    ("moment", "said", "is_complete"),
    [
        ("file", "cannot be written (Input/output error); the file of the loop before is intact", False),
        ("folder", "written, but its folder cannot be flushed to the disk (Input/output error)", True),
    ],
)
def test_a_fault_of_the_last_write_is_said_as_it_is_and_repaired_by_a_resume(psa, moment, said, is_complete):
    command = [sys.executable, "-c", FAILING, *TINY, "--meta-loops", "2", moment]
    done = program.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stdout.startswith("failed at meta-loop 2 of 2; once mended, go on with: psa resume\n")
    assert done.stderr.startswith(f"psa: error: {LKG}: {said}")
    assert done.stderr.count("\n") == 1
    assert ("intact" in done.stderr) == (not is_complete)
    assert read_checkpoint(LKG).record.complete == is_complete
    assert runs(psa)[0][1] == "failed"
    assert psa("resume", "--quiet").returncode == 0
    assert read_checkpoint(LKG).record.complete
    assert [state for _, state in runs(psa)] == ["finished"]


def test_a_fault_before_a_copy_has_a_name_of_its_own_leaves_no_run_that_never_was(psa):
    psa(*TINY, "--meta-loops", 2)
    shutil.copytree("models", "copy")
    (Path("copy") / f".{DEFAULT_NAME}.tmp").mkdir()
    failed = psa("resume", "--meta-loops", 1, "--model-dir", "copy")
    assert failed.returncode == 1
    assert len(runs(psa)) == 1
    (Path("copy") / f".{DEFAULT_NAME}.tmp").rmdir()
    assert psa("resume", "--meta-loops", 1, "--model-dir", "copy").returncode == 0
    branch, first = runs(psa)
    record = read_checkpoint(Path("copy") / DEFAULT_NAME).record
    assert (record.run, record.parent) == (branch[0], first[0])
    shown = json.loads(psa("results", "show", branch[0], "--json").stdout)
    assert [loop["meta_loop"] for loop in shown["meta_loops"]] == [1, 2, 3]


def test_a_branch_that_the_history_never_heard_of_gets_its_loops_at_the_next_session(psa):
    psa(*TINY, "--meta-loops", 2)
    shutil.copytree("models", "copy")
    code = (
        "import os\nfrom psa_tui.storage.run_store import RunStore\n"
        "RunStore.begin_session = lambda *a, **k: os._exit(9)\nfrom psa_tui.cli import main\nmain()"
    )
    command = [sys.executable, "-c", code, "resume", "--meta-loops", "1", "--model-dir", "copy"]
    assert program.run(command).returncode == 9
    assert len(runs(psa)) == 1
    done = psa("resume", "--meta-loops", 1, "--model-dir", "copy", "--quiet")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(runs(psa)) == 2


def test_a_linked_models_folder_is_the_same_place(psa):
    psa(*TINY, "--meta-loops", 1)
    os.symlink("models", "link")
    assert psa("resume", "--meta-loops", 1, "--model-dir", "link").returncode == 0
    assert len(runs(psa)) == 1
    assert psa("resume", "--meta-loops", 1).returncode == 0
    assert [state for _, state in runs(psa)] == ["finished"]


def test_runs_that_begin_in_the_same_second_have_names_of_their_own():
    from psa_tui.runs.record import new_run_name

    names = [new_run_name() for _ in range(2000)]
    assert len(set(names)) == len(names)
