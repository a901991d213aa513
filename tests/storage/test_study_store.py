import sqlite3
from dataclasses import replace

from psa_tui.method.variants import AblationMode
from psa_tui.storage.database import _RUNS, FILE_NAME
from psa_tui.storage.study_store import JobRow, LoopRow, TrialRow, open_store, read_store
from psa_tui.studies.grids import Shape
from psa_tui.studies.spec import StudySpec, trial_seed

SPEC = StudySpec(
    name="s",
    shapes=(Shape(2, 4), Shape(1, 8)),
    modes=(AblationMode.NONE, AblationMode.FULL),
    trials=2,
    meta_loops=3,
    seed=7,
    dataset="mnist5k",
    dataset_fingerprint="f",
)


def trial(number=1, **values):
    return TrialRow(architecture="2*4", mode="full", trial=number, parameters=3214, seed=5, **values)


def loop(number, correct=5):
    return LoopRow(
        architecture="2*4",
        mode="full",
        trial=1,
        meta_loop=number,
        ablated_layer=None,
        ablated_neuron=None,
        train_loss=0.5,
        validation_correct=correct,
        validation_count=10,
        finite=True,
        verdict="promoted",
    )


def test_a_study_its_trials_loops_sessions_and_jobs_are_read_back(tmp_path):
    with open_store(tmp_path) as store:
        store.begin_local(SPEC)
        session = store.begin_session("s", 2, "box", {"torch": "2"})
        store.put("s", [trial(state="running", meta_loop=1, bounty=0.5)], [loop(1)], session)
        store.end_session("s", session, "stopped", "Ctrl-C")
        job = JobRow("psa-2x4-full-1", "2*4", "full", "etag", "refused", "why", "2026")
        store.put_fetched("f", {"shapes": ["2*4"]}, 2, [trial(bounty=0.5)], [job])
    with read_store(tmp_path) as store:
        assert store.study("s").spec() == SPEC
        assert store.trials("s") == [trial(state="running", meta_loop=1, bounty=0.5)]
        assert store.loops("s") == [("2*4", "full", 1, 1, None, None, 0.5, 5, 10, 1, "promoted")]
        (row,) = store.sessions("s")
        assert (row.outcome, row.reason, row.workers, row.versions) == ("stopped", "Ctrl-C", 2, {"torch": "2"})
        fetched = store.study("f")
        assert (fetched.source, fetched.trials, fetched.settings) == ("fetched", 2, {"shapes": ["2*4"]})
        assert store.trials("f") == [trial(bounty=0.5)]
        assert store.jobs("f") == [job]


def test_rows_written_again_replace_the_earlier_ones(tmp_path):
    with open_store(tmp_path) as store:
        store.begin_local(SPEC)
        store.put("s", [trial(state="running")], [loop(1), loop(2)])
        store.put("s", [trial(bounty=0.7)], [loop(2, correct=7)])
        assert [row.bounty for row in store.trials("s")] == [0.7]
        assert [(row[3], row[7]) for row in store.loops("s")] == [(1, 5), (2, 7)]


def test_a_study_entered_again_keeps_its_settings(tmp_path):
    with open_store(tmp_path) as store:
        store.begin_local(SPEC)
        store.begin_local(replace(SPEC, seed=8))
        assert store.study("s").seed == 7


def test_a_database_of_the_first_format_keeps_its_runs_and_gains_the_tables_of_studies(tmp_path):
    connection = sqlite3.connect(tmp_path / FILE_NAME)
    connection.executescript(_RUNS + "PRAGMA user_version = 1;")
    values = ("r", "", "", "finished", "", "", "[1*4]", 1, "none", 1, "", "", "", 1e-4, 256, 0, 0, 1, 1, None, 0, None)
    connection.execute(f"INSERT INTO runs VALUES ({', '.join('?' * 22)})", values)
    connection.commit()
    connection.close()
    with read_store(tmp_path) as store:
        assert store is None
    with open_store(tmp_path) as store:
        store.begin_local(SPEC)
        assert [row.study for row in store.studies()] == ["s"]
    assert sqlite3.connect(tmp_path / FILE_NAME).execute("SELECT run, state FROM runs").fetchall() == [
        ("r", "finished")
    ]


def test_a_trial_has_the_same_seed_on_every_machine_and_no_other_trial_has_it():
    seeds = {trial_seed(7, shape, t) for shape in (Shape(2, 4), Shape(4, 2), Shape(1, 8)) for t in range(1, 11)}
    assert len(seeds) == 30
    assert max(seeds) < 2**63
    assert trial_seed(0, Shape(18, 18), 3) == 306201488411500558
    assert trial_seed(0, Shape(18, 18), 3) != trial_seed(1, Shape(18, 18), 3)


def test_specs_that_differ_say_in_what():
    assert SPEC.differences(StudySpec.from_settings(SPEC.as_settings())) == []
    assert SPEC.differences(replace(SPEC, seed=8, trials=3)) == ["trials (2, not 3)", "seed (7, not 8)"]
