import json


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
    assert not list(tmp_path.iterdir())
