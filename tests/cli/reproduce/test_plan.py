import json
import os
import signal
import subprocess
import sys

import psutil
import pytest

from tests import program


def test_a_plan_tells_of_time_money_disk_and_memory_in_80_columns(psa):
    done = psa("reproduce", "plan", "--grid", "1*2,2*2", "--trials", "2", "--meta-loops", "5", "--workers", "1")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[:3] == [
        "cells       12: 2 shapes x 6 modes",
        "trials      24: 2 a cell",
        "meta-loops  120: 5 a trial",
    ]
    (here,) = [line for line in lines if line.endswith("this machine (cpu)")]
    assert here.startswith("1 ")
    assert [word for word in ("SageMaker", "disk", "memory") if not any(line.startswith(word) for line in lines)] == []


def test_a_plan_can_be_read_by_programs_and_leaves_nothing_behind(psa, tmp_path):
    done = psa("reproduce", "plan", "--grid", "1*2", "--modes", "none", "--workers", "1", "--json")
    content = json.loads(done.stdout)
    assert (content["cells"], content["trials"], content["meta_loops"]) == (1, 10, 1000)
    assert content["hours"] == content["hours_by_workers"]["1"] > 0
    assert 0 < content["core_share"] < 1.5
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize(("number", "name"), [(signal.SIGTERM, "TERM"), (signal.SIGINT, "Ctrl-C")])
def test_a_signal_to_all_while_shapes_are_measured_is_a_stop_with_a_sentence(tmp_path, number, name):
    command = [sys.executable, "-m", "psa_tui", "reproduce", "plan", "--workers", "2"]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    planning = program.Popen(command, cwd=tmp_path, start_new_session=True, **streams)
    assert planning.stderr.readline() == "psa: measuring some of the shapes for moments\n"
    while not (children := psutil.Process(planning.pid).children(recursive=True)):
        pass
    os.killpg(planning.pid, number)
    stdout, stderr = planning.communicate(timeout=30)
    assert (planning.returncode, stdout, stderr) == (128 + number, "", f"psa: stopped ({name})\n")
    assert psutil.wait_procs(children, timeout=10)[1] == []
