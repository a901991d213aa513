import json

import pytest

from psa_tui.method.variants import FULL, NONE
from psa_tui.storage.locks import locked
from psa_tui.storage.study_rows import FAILED, LOCAL, TrialRow
from psa_tui.storage.study_store import open_store
from psa_tui.studies.driver import enter_study
from psa_tui.studies.grids import parse_network
from psa_tui.studies.part_files import study_lock
from psa_tui.studies.spec import StudySpec


@pytest.fixture
def begun(tmp_path):
    """A study of three shapes, one complete, one failed, one not begun."""
    spec = StudySpec(
        name="mine",
        networks=(parse_network("1*4"), parse_network("2*4"), parse_network("3*4")),
        variants=(NONE, FULL),
        trials=1,
        meta_loops=10,
        seed=0,
        dataset="mnist5k",
        dataset_fingerprint="",
        quick=True,
    )
    with open_store(tmp_path / "results") as store:
        enter_study(store, spec)
        session = store.begin_session("mine", 2, "here", {})
        rows = [
            TrialRow(architecture="1*4", mode=mode, trial=1, parameters=1, meta_loop=10, bounty=bounty, seconds=9.0)
            for mode, bounty in (("none", 0.5), ("full", 0.25))
        ]
        bad = TrialRow(
            architecture="2*4", mode="none", trial=1, parameters=1, state=FAILED, reason="out of \x1b[31mmemory"
        )
        store.put("mine", [*rows, bad])
        store.end_session("mine", session, "stopped", "Ctrl-C")
    return tmp_path / "results"


def test_status_tells_progress_failures_and_time_left(psa, begun):
    done = psa("reproduce", "status", "--study", "mine")
    assert done.returncode == 0, done.stderr
    lines = [line.rstrip() for line in done.stdout.splitlines()]
    assert lines[0] == "study mine (quick, not a reproduction): stopped (Ctrl-C)"
    assert lines[2] == "2 of 6 trials complete, 1 failed; 20 of 60 meta-loops"
    assert lines[3].startswith("time left on 2 workers: 0:")
    assert lines[4] == "failed: 2*4 trial 1: out of �[31mmemory"
    assert lines[6:9] == ["shape     none  full", "1*4      50.00 25.00", "2*4   1 failed     -"]
    assert lines[-1] == "not begun: 1 of 3 shapes (3*4)"


def test_status_knows_whether_a_process_is_at_work(psa, begun):
    lock = study_lock(begun, "mine")
    lock.parent.mkdir(parents=True)
    with locked(lock):
        assert "running, process " in psa("reproduce", "status", "--study", "mine").stdout
        assert json.loads(psa("reproduce", "status", "--study", "mine", "--json").stdout)["run_by_process"]
    content = json.loads(psa("reproduce", "status", "--study", "mine", "--json").stdout)
    assert content["run_by_process"] is None
    assert (content["complete"], content["failed"], content["trials"]) == (2, 1, 6)


def test_an_unknown_study_is_answered_with_those_there_are(psa, begun):
    done = psa("reproduce", "status", "--study", "other")
    assert done.returncode == 2
    assert "no study 'other' was begun in results; begun there: mine" in done.stderr


def test_without_a_name_it_is_the_reproduction_or_the_only_study_there_is(psa, begun):
    assert "study mine" in psa("reproduce", "status").stdout
    with open_store(begun) as store:
        store.enter("other", LOCAL, store.study("mine").settings | {"name": "other"}, trials=3)
    several = psa("reproduce", "status")
    assert (several.returncode, several.stdout) == (2, "")
    named = "psa study status mine, or --study mine with psa reproduce"
    assert f"say which study is meant, as in {named}; begun there: mine, other" in several.stderr
    with open_store(begun) as store:
        store.enter("reproduction", LOCAL, store.study("mine").settings | {"name": "reproduction"}, trials=3)
    assert "study reproduction" in psa("reproduce", "status").stdout
