"""Studies on real worker processes, with whatever may befall them."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from psa_tui.storage.study_store import read_store
from tests import program
from tests.studies.recorded import recorded

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
STUDY = ("reproduce", "run", "--dataset", "mnist5k", "--grid", "2*4,1*6", "--trials", "2", "--study", "here")


def start(folder, *arguments, meta_loops=40, **options):
    command = [sys.executable, "-m", "psa_tui", *STUDY, "--meta-loops", meta_loops, "--workers", 2, *arguments]
    return program.Popen(
        [*map(str, command), "--results-dir", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def finish(process, patience_s=120):
    stdout, stderr = process.communicate(timeout=patience_s)
    return process.returncode, stdout, stderr


def wait_for_loops(folder):
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with read_store(folder) as store:
            if store is not None and store.study("here") and store.loops("here"):
                return
        time.sleep(0.05)
    raise AssertionError("no meta-loop was recorded")


def workers_of(driver):
    """The processes that train for it; those between only start them."""
    started = psutil.Process(driver.pid).children()
    return [worker for starter in started for worker in starter.children()]


def table(folder):
    with read_store(folder) as store:
        return recorded(store, "here")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("twin")
    code, _, stderr = finish(start(folder, "--workers", "1", "--quiet"))
    assert code == 0, stderr
    return table(folder)


def test_a_killed_worker_is_named_with_its_cause_and_the_numbers_are_those_of_one_worker(tmp_path, undisturbed):
    driver = start(tmp_path, "--json")
    wait_for_loops(tmp_path)
    workers_of(driver)[0].kill()
    code, stdout, stderr = finish(driver)
    assert code == 0, stderr
    events = [json.loads(line) for line in stdout.splitlines()]
    (lost,) = [event for event in events if event["event"] == "worker_lost"]
    assert "killed by SIGKILL" in lost["cause"]
    assert [event["final"] for event in events if event["event"] == "cell_failed"] in ([False], [])
    assert table(tmp_path) == undisturbed


@pytest.mark.parametrize(("number", "code", "send"), [(signal.SIGINT, 130, os.kill), (signal.SIGTERM, 143, os.killpg)])
def test_a_signal_to_the_driver_or_all_commits_and_leaves_in_five_seconds_and_says_how_to_go_on(
    tmp_path, number, code, send, undisturbed
):
    driver = start(tmp_path, "--plain", start_new_session=True)
    wait_for_loops(tmp_path)
    workers = workers_of(driver)
    assert len(workers) == 2
    send(driver.pid, number)
    asked = time.monotonic()
    found, stdout, stderr = finish(driver)
    assert time.monotonic() - asked < 5
    assert (found, stderr) == (code, "")
    assert "lost" not in stdout
    assert "failed" not in stdout
    assert f"psa study run here --results-dir {tmp_path}" in stdout
    assert psutil.wait_procs(workers, timeout=5)[1] == []
    with read_store(tmp_path) as store:
        assert store.sessions("here")[-1].outcome == "stopped"
    code, _, stderr = finish(start(tmp_path, "--quiet"))
    assert code == 0, stderr
    assert table(tmp_path) == undisturbed


def test_workers_end_when_their_driver_is_killed(tmp_path):
    driver = start(tmp_path, "--quiet")
    wait_for_loops(tmp_path)
    workers = workers_of(driver)
    assert len(workers) == 2
    driver.kill()
    finish(driver)
    _, alive = psutil.wait_procs(workers, timeout=30)
    assert alive == []


def test_a_full_disk_is_one_line_and_what_was_recorded_is_gone_on_with(tmp_path, undisturbed):
    driver = start(tmp_path, "--quiet")
    psutil.Process(driver.pid).rlimit(psutil.RLIMIT_FSIZE, (200_000, 200_000))
    code, _, stderr = finish(driver)
    assert code == 1
    assert "Traceback" not in stderr
    (line,) = [line for line in stderr.splitlines() if "error" in line]
    assert "space" in line
    code, _, stderr = finish(start(tmp_path, "--quiet"))
    assert code == 0, stderr
    assert table(tmp_path) == undisturbed


def test_another_process_on_the_same_study_is_refused_by_name(tmp_path):
    first = start(tmp_path, "--quiet", meta_loops=1000)
    wait_for_loops(tmp_path)
    code, _, stderr = finish(start(tmp_path, "--quiet", meta_loops=1000))
    first.terminate()
    finish(first)
    assert code == 2
    assert "study here is being run by another process" in stderr


def test_other_settings_under_the_same_name_are_refused_and_a_bare_name_goes_on(tmp_path):
    code, _, stderr = finish(start(tmp_path, "--quiet", meta_loops=2))
    assert code == 0, stderr
    code, _, stderr = finish(start(tmp_path, "--quiet", "--seed", "9", meta_loops=2))
    assert code == 2
    assert "seed 0, not 9" in stderr
    command = [sys.executable, "-m", "psa_tui", "reproduce", "run", "--study", "here", "--results-dir", str(tmp_path)]
    done = program.run([*command, "--quiet"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_a_reader_that_leaves_stops_the_study_and_nothing_is_lost(tmp_path):
    driver = start(tmp_path, "--json")
    driver.stdout.readline()
    driver.stdout.close()
    assert driver.wait(60) == 1
    driver.stderr.close()
    with read_store(tmp_path) as store:
        assert store.sessions("here")[-1].outcome == "stopped"


@pytest.mark.campaign
def test_kills_at_random_moments_leave_every_trial_exactly_once():
    script = ROOT / "tools" / "kill_study.py"
    done = program.run(
        [sys.executable, str(script), "--kills", "1", "--seed", "random"],
        capture_output=True,
        text=True,
        timeout=400,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all tables equal" in done.stdout
