import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from psa_tui.method.events import Outcome, RunFinished
from psa_tui.method.progress import Progress
from psa_tui.runs.checkpoint_files import DEFAULT_NAME
from psa_tui.storage.checkpoint import read_checkpoint
from psa_tui.storage.run_store import open_runs, read_runs
from psa_tui.views.text import format_end
from tests import program
from tests.storage.test_run_store import SPLITS, loop
from tests.terminal import eventually, is_alive, surroundings

pytestmark = pytest.mark.slow

PSA = (sys.executable, "-m", "psa_tui")
TRAIN = ("train", "--dataset", "mnist5k", "--arch", "[2*300]", "--mode", "full", "--seed", "3", "--threads", "1")
FOLLOW = (*PSA, "results", "follow", "latest")
READ_ONLY = "^q leave  read-only: another process trains  "


def history_of(folder):
    with read_runs(folder / "results") as history:
        row = history.latest(1)[0] if history is not None and history.latest(1) else None
        return row, [] if row is None else history.loops(row.run)


@pytest.fixture
def start(tmp_path):
    """Start a run that nobody watches, and wait until it has done ``loops`` loops; it ends with the test."""
    started = []

    def start(*arguments, loops=2):
        process = program.Popen(
            [*PSA, *arguments, "--quiet"], cwd=tmp_path, env=surroundings(), stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        before = len(history_of(tmp_path)[1])
        eventually(lambda: len(history_of(tmp_path)[1]) >= before + loops or process.poll() is not None)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def test_in_a_pipe_there_is_a_line_a_loop_and_the_end_is_the_runs_own(start, tmp_path):
    run = start(*TRAIN, "--meta-loops", "25")
    done = program.run(FOLLOW, cwd=tmp_path, env=surroundings(), capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    row, loops = history_of(tmp_path)
    lines = done.stdout.splitlines()
    assert lines[0] == f"run {row.run}: [2*300], 328,810 parameters, mode full"
    told = [int(found[1]) for line in lines if (found := re.match(r"loop +(\d+)/25 ", line))]
    assert told == list(range(told[0], 26))
    accuracies = [f"{100 * loop.validation_accuracy:.2f} %" for loop in loops]
    assert [line[12:].split("  ")[0].strip() for line in lines if line.startswith("loop")] == accuracies[told[0] - 1 :]
    assert lines[-2].startswith("finished: 25 of 25 meta-loops, ")
    assert lines[-1] == run.communicate()[0].splitlines()[-1]


@pytest.mark.campaign
def test_in_a_terminal_it_is_the_dashboard_read_only_through_a_kill_and_a_resume(start, terminal, tmp_path):
    run = start(*TRAIN, "--meta-loops", "100000")
    tty = terminal(FOLLOW)
    tty.wait_for_text(READ_ONLY)
    first = tty.loop
    tty.wait_for_loop(first + 2)
    assert tty.text.startswith("PSA [2*300]  mode full  mnist5k  run ")
    assert re.search(r"^this loop .*  usually \d+\.\d+ m?s *$", tty.text, re.MULTILINE)
    assert not re.search("^epoch", tty.text, re.MULTILINE)
    for part in ("LKG ", "validation accuracy", "majority 12.40 %", "ablations and verdicts", "network"):
        assert part in tty.text
    for control in ("pause", "m mode", "stop"):
        assert control not in tty.text
    tty.press("?")
    tty.wait_for_text("leave; the run goes on")
    assert "pause" not in tty.text
    tty.press("?")
    tty.wait_for_text(READ_ONLY)

    # The keys that steer a run do not reach it.
    tty.press(" ms")
    tty.wait_for_loop(tty.loop + 3)
    assert run.poll() is None
    assert history_of(tmp_path)[0].mode == "full"

    run.send_signal(signal.SIGKILL)
    run.communicate()
    tty.wait_for_text(r"^ stopped by an interruption   q leave  \? help  read-only: a resume shows here")
    stopped_at = len(history_of(tmp_path)[1])
    resumed = start("resume")
    tty.wait_for_text(READ_ONLY)
    tty.wait_for_loop(stopped_at + 2)

    tty.press("q")
    assert tty.wait_for_end() == 0
    tty.assert_restored()
    row, loops = history_of(tmp_path)
    assert re.fullmatch(rf"psa: left run {row.run} at meta-loop \d+; it goes on\n", tty.left_behind())
    assert resumed.poll() is None
    eventually(lambda: len(history_of(tmp_path)[1]) > len(loops))


def test_ctrl_c_leaves_without_touching_the_run(start, terminal, tmp_path):
    run = start(*TRAIN, "--meta-loops", "100000")
    tty = terminal(FOLLOW)
    tty.wait_for_text(READ_ONLY)
    drawing = tty.drawing()
    tty.press("\x03")
    assert tty.wait_for_end() == 130
    tty.assert_restored()
    assert b"Traceback" not in tty.raw
    eventually(lambda: not is_alive(drawing))
    done = len(history_of(tmp_path)[1])
    eventually(lambda: len(history_of(tmp_path)[1]) > done)
    assert run.poll() is None


def test_a_finished_run_stays_on_the_screen_until_q_and_its_result_is_left_behind(psa, terminal, tmp_path):
    psa("train", "--name", "tiny", "--dataset", "mnist5k", "--arch", "[1*8]", "--seed", 3, "--meta-loops", 3, "--quiet")
    tty = terminal(FOLLOW)
    tty.wait_for_text(r"^ finished   q leave  \? help  read-only: a resume shows here")
    assert re.search(r"^meta-loop .* 3/3  finished", tty.text, re.MULTILINE)
    clock = tty.screen.display[1].split()[-1]
    tty.read(2.2)
    assert tty.screen.display[1].split()[-1] == clock
    tty.press("q")
    assert tty.wait_for_end() == 0
    tty.assert_restored()
    record = read_checkpoint(tmp_path / "models" / "tiny" / DEFAULT_NAME).record
    assert "▲ promoted" in tty.left_behind().splitlines()[0], "the last chart stays"
    name, finished, bounty = tty.left_lines()
    assert name == f"run tiny ({record.run})"
    assert finished.startswith("finished: 3 of 3 meta-loops, ")
    assert bounty.startswith(f"bounty {100 * record.progress.bounty:.2f} %")


@pytest.fixture
def long_run(tmp_path, checkpoint):
    """The history of a run of full MNIST that was asked for as auto and ended after more loops than a pipe holds."""
    record = replace(
        checkpoint.record,
        dataset="mnist",
        dataset_requested="auto",
        last_meta_loop=600,
        progress=Progress(validation_count=500),
    )
    with open_runs(tmp_path / "results") as history:
        history.begin_session(record, tmp_path / "models" / DEFAULT_NAME, SPLITS)
        history._database.connection.execute("PRAGMA synchronous = OFF")
        for number in range(1, 601):
            history.add(record.run, loop(number))
        history.end(
            RunFinished(
                run=record.run,
                outcome=Outcome.FINISHED,
                reason="",
                last_meta_loop=600,
                progress=loop(600).progress,
                test_accuracy=0.9,
                seconds=60.0,
                resume_command="psa resume",
            )
        )


def test_an_ended_run_is_shown_to_its_end_on_the_screen_however_long_it_was(long_run, terminal):
    tty = terminal(FOLLOW)
    tty.wait_for_text(r"^ finished   q leave  \? help  read-only: a resume shows here")
    assert re.search(r"^meta-loop .* 600/600  finished", tty.text, re.MULTILINE)
    tty.press("q")
    assert tty.wait_for_end() == 0
    assert "\nfinished: 600 of 600 meta-loops, " in tty.left_behind()


def test_an_ended_run_is_told_to_its_end_in_lines_and_full_mnist_is_no_substitute(long_run, tmp_path):
    done = program.run(FOLLOW, cwd=tmp_path, env=surroundings(), capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    *_, last, finished, _ = done.stdout.splitlines()
    assert last.startswith("loop 600/600 ")
    assert finished.startswith("finished: 600 of 600 meta-loops, ")


def test_of_a_run_that_failed_it_says_why(psa, checkpoint):
    record = checkpoint.record
    failed = RunFinished(
        run=record.run,
        outcome=Outcome.FAILED,
        reason="the disk is full",
        last_meta_loop=record.last_meta_loop,
        progress=record.progress,
        test_accuracy=None,
        seconds=0.0,
    )
    with open_runs(Path("results")) as history:
        history.begin_session(record, Path("models") / DEFAULT_NAME, SPLITS)
        history.end(failed)
    done = psa("results", "follow", "latest")
    assert (done.returncode, done.stderr.splitlines()[-1]) == (0, "psa: the run failed: the disk is full")
    assert format_end(failed)[0] == "failure: the disk is full", "on the screen, and when it is left"


def test_if_the_drawing_process_dies_it_goes_on_in_lines(start, terminal):
    start(*TRAIN, "--meta-loops", "100000")
    tty = terminal(FOLLOW)
    tty.wait_for_text(READ_ONLY)
    psutil.Process(tty.drawing().pid).kill()
    tty.wait_for_bytes(b"warning: the dashboard failed")
    tty.wait_for_bytes(b"\r\nloop ")
    os.kill(tty.process.pid, signal.SIGINT)
    assert tty.wait_for_end() == 130


def test_following_nothing_is_an_error_in_one_line(psa):
    done = psa("results", "follow", "latest")
    assert done.returncode == 2
    assert done.stderr.startswith("psa: error: there is no history in results; ")
    assert not Path("results").exists()
