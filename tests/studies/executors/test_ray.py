"""A study on a real Ray cluster of two nodes on this machine."""

import os
import signal
import sys
import time
from collections import Counter
from importlib.util import find_spec

import psutil
import pytest

from psa_tui.storage.study_store import read_store
from tests import program
from tests.studies.recorded import recorded

pytestmark = [
    pytest.mark.slow,
    pytest.mark.campaign,
    pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed"),
]
STUDY = ("reproduce", "run", "--dataset", "mnist5k", "--grid", "4*4,2*6", "--trials", "2", "--study", "rayed")
META_LOOPS = "1800"
"""A study that is not complete before it can be stopped: the two tasks of two seconds until then do a part of it."""


@pytest.fixture
def nodes(monkeypatch):
    """The address of a cluster of two nodes with one processor each, and a way to kill the second."""
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    second = cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    yield cluster.address, lambda: cluster.remove_node(second, allow_graceful=False)
    cluster.shutdown()


def start(folder, *arguments, **options):
    command = [sys.executable, "-m", "psa_tui", *STUDY, "--meta-loops", META_LOOPS, "--quiet", "--results-dir", folder]
    with (folder.parent / f"{folder.name}.log").open("w") as log:
        return program.Popen([*map(str, command), *arguments], stdout=log, stderr=log, **options)


def table(folder):
    with read_store(folder) as store:
        return recorded(store, "rayed")


def wait_until(condition, patience_s=300):  # Ray lets its tasks wait for whatever else runs
    until = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.1)


def test_a_node_that_dies_in_the_middle_of_a_study_costs_nothing_and_doubles_nothing(nodes, tmp_path):
    address, kill_second_node = nodes
    rayed = start(tmp_path / "rayed", "--on", "ray", "--address", address)

    def is_under_way():
        assert rayed.poll() is None, (tmp_path / "rayed.log").read_text()
        with read_store(tmp_path / "rayed") as store:
            return store is not None and len(store.loops("rayed")) > 0

    wait_until(is_under_way)
    kill_second_node()
    assert rayed.wait(400) == 0, (tmp_path / "rayed.log").read_text()
    local = start(tmp_path / "local", "--workers", "2")
    assert local.wait(180) == 0, (tmp_path / "local.log").read_text()
    trials, loops = table(tmp_path / "rayed")
    assert Counter(row.state for row in trials) == {"complete": 2 * 6 * 2}
    assert max(Counter(loop[:4] for loop in loops).values()) == 1
    assert (trials, loops) == table(tmp_path / "local")


def test_a_stop_for_all_processes_of_a_study_with_a_cluster_of_its_own_is_one_stop(tmp_path):
    folder = tmp_path / "stopped"
    study = start(folder, "--on", "ray", start_new_session=True)

    def is_under_way():
        assert study.poll() is None, (tmp_path / "stopped.log").read_text()
        with read_store(folder) as store:
            return store is not None and store.study("rayed") is not None and len(store.loops("rayed")) > 0

    wait_until(is_under_way)
    before = {child.pid for child in psutil.Process(study.pid).children(recursive=True)}
    os.killpg(study.pid, signal.SIGTERM)
    assert study.wait(60) == 143, (tmp_path / "stopped.log").read_text()
    said = (tmp_path / "stopped.log").read_text()
    assert "failed" not in said
    assert "lost" not in said
    wait_until(lambda: not [pid for pid in before if psutil.pid_exists(pid)], 30)
    with read_store(folder) as store:
        assert store.sessions("rayed")[-1].outcome == "stopped"
    assert start(folder, "--workers", "2").wait(180) == 0, said
    assert start(tmp_path / "local", "--workers", "2").wait(180) == 0
    assert table(folder) == table(tmp_path / "local")


def test_no_cluster_at_the_address_is_one_line_and_worth_a_retry(psa):
    done = psa("reproduce", "run", "--quick", "--dataset", "mnist5k", "--on", "ray", "--address", "127.0.0.1:1")
    assert done.returncode == 3, done.stderr
    assert "no Ray cluster answers at 127.0.0.1:1" in done.stderr
    assert "Traceback" not in done.stderr
