import re
import sqlite3

import pytest

from psa_tui.errors import HistoryError
from psa_tui.method.ablation import AblatedUnit
from psa_tui.networks.modules.recorded import SIZES
from psa_tui.storage.database import FILE_NAME
from psa_tui.storage.meta_loops import MetaLoopRow, decode_ablations
from psa_tui.storage.run_store import open_runs, read_runs
from psa_tui.storage.schema import FORMAT
from psa_tui.storage.study_rows import LOCAL, JobRow, TrialLoop, TrialRow
from psa_tui.storage.study_store import open_store, read_store
from tests.storage.old_formats import FORMAT_1, FORMAT_2

SETTINGS = {"shapes": ["2*4", "1*8"], "modes": ["none", "full"], "dataset": "mnist5k"}


HIT = (AblatedUnit(layer=0, unit=3, incoming=784, outgoing=0),)
HITS = (
    *HIT,
    AblatedUnit(layer=1, unit=2, incoming=4, outgoing=0, effect="noise"),
    AblatedUnit(layer=0, unit=1, incoming=784, outgoing=4, dead=True),
    AblatedUnit(layer=1, unit=0, incoming=4, outgoing=10, effect="reinit", dead=True),
)


def enter(store, seed=7):
    store.enter("s", LOCAL, SETTINGS, quick=False, seed=seed, meta_loops=3, trials=2)


def trial(number=1, **values):
    return TrialRow(architecture="2*4", mode="full", trial=number, parameters=3214, seed=5, **values)


def loop(number, correct=5, ablations=()):
    row = MetaLoopRow(
        meta_loop=number,
        mode="full",
        ablations=ablations,
        train_loss=0.5,
        validation_correct=correct,
        validation_count=10,
        finite=True,
        verdict="promoted",
        reason="why",
        seconds=0.25,
        lkg_correct=correct,
        lkg_meta_loop=number,
        lkg_dead=1,
        lkg_inactive=2,
        dead_units=((0, 3),),
        promoting_correct=4,
        train_accuracy=0.75,
    )
    return TrialLoop("2*4", 1, row)


@pytest.mark.parametrize(
    "sizes", [3, ["x"], [{"parameters": 1}], [dict.fromkeys(SIZES, "1")] * 2, [dict.fromkeys(SIZES, 1)]], ids=str
)
def test_sizes_of_networks_that_are_none_are_said_in_one_line(sizes, tmp_path):
    with open_store(tmp_path) as store:
        enter(store)
        good = SETTINGS | {"sizes": [dict.fromkeys(SIZES, 1)] * 2}
        store.enter("s", LOCAL, good)
        assert store.study("s").settings == good
        store.enter("s", LOCAL, SETTINGS | {"sizes": sizes})
        with pytest.raises(HistoryError, match="settings without sizes of networks"):
            store.studies()


def test_a_study_its_trials_loops_sessions_and_jobs_are_read_back(tmp_path):
    with open_store(tmp_path) as store:
        enter(store)
        session = store.begin_session("s", 2, "box", {"torch": "2"})
        begun = trial(state="running", meta_loop=1, bounty=0.5, lkg_dead=1, lkg_inactive=2)
        store.put("s", [begun], [loop(1, ablations=HITS)], session)
        store.end_session("s", session, "stopped", "Ctrl-C")
        job = JobRow("psa-2x4-full-1", "2*4", "full", "etag", "refused", "why", "2026")
        store.put_fetched("f", {"shapes": ["2*4"]}, 2, [trial(bounty=0.5)], [job])
    with read_store(tmp_path) as store:
        assert store.study("s").settings == SETTINGS
        assert store.trials("s") == [begun]
        (row,) = store.loops("s")
        hits = '[[0,3,784,0],[1,2,4,0,"noise"],[0,1,784,4,"zero",1],[1,0,4,10,"reinit",1]]'
        rest = 0.5, 5, 10, 1, "promoted", "why", 0.25, 5, 1, 1, 2, "[[0,3]]", 4, 0.75
        assert row == ("2*4", "full", 1, 1, hits, *rest)
        assert decode_ablations(hits) == HITS
        (row,) = store.sessions("s")
        assert (row.outcome, row.reason, row.workers, row.versions) == ("stopped", "Ctrl-C", 2, {"torch": "2"})
        fetched = store.study("f")
        assert (fetched.source, fetched.trials, fetched.settings) == ("fetched", 2, {"shapes": ["2*4"]})
        assert store.trials("f") == [trial(bounty=0.5)]
        assert store.jobs("f") == [job]


def test_rows_written_again_replace_the_earlier_ones(tmp_path):
    with open_store(tmp_path) as store:
        enter(store)
        store.put("s", [trial(state="running")], [loop(1), loop(2)])
        store.put("s", [trial(bounty=0.7)], [loop(2, correct=7)])
        assert [row.bounty for row in store.trials("s")] == [0.7]
        assert [(row[3], row[6]) for row in store.loops("s")] == [(1, 5), (2, 7)]


def test_a_study_entered_again_keeps_its_settings(tmp_path):
    with open_store(tmp_path) as store:
        enter(store)
        enter(store, seed=8)
        assert store.study("s").seed == 7


RUN = ("r", "", "", "finished", "", "", "[1*4]", 1, "none", 1, "mnist", "", "", 1e-3, 256, 0, 0, 2, 2, 0.5, 2, None)
OLD_LOOPS = (
    ("r", 1, "none", None, None, 0.9, 4, 10, 1, "promoted", 0.1),
    ("r", 2, "full", 1, 7, 0.8, 5, 10, 1, "promoted", 0.2),
)


def make_old(folder, version):
    """A database as an earlier version left it, with one run and, from format 2 on, one loop of a study."""
    connection = sqlite3.connect(folder / FILE_NAME)
    connection.executescript(FORMAT_1 + (FORMAT_2 if version == 2 else "") + f"PRAGMA user_version = {version};")
    connection.execute(f"INSERT INTO runs VALUES ({', '.join('?' * 22)})", RUN)
    connection.execute(
        "INSERT INTO sessions VALUES ('r', 1, '', '', 0, 'finished', 1e-3, 256, 0, 0, 'cpu', 1, 'm', '{}')"
    )
    connection.executemany(f"INSERT INTO meta_loops VALUES ({', '.join('?' * 11)})", OLD_LOOPS)
    if version == 2:
        connection.execute("INSERT INTO studies VALUES ('s', 'local', '', '', 0, 7, 3, 2, '{}')")
        connection.execute("INSERT INTO trial_loops VALUES ('s', '2*4', 'full', 1, 1, 0, 3, 0.5, 5, 10, 1, 'promoted')")
    connection.commit()
    connection.close()


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(("opener", "rises"), [(read_runs, False), (open_runs, True)])
def test_a_database_of_an_earlier_format_tells_the_same_read_or_brought_up_to_date(tmp_path, version, opener, rises):
    make_old(tmp_path, version)
    with opener(tmp_path) as runs:
        row, (first, second), (session,) = runs.run("r"), runs.loops("r"), runs.sessions("r")
    assert (row.network, row.bounty, row.lkg_accuracy, row.lkg_meta_loop) == ("mlp", 0.5, 0.5, 2)
    assert (row.hyperparameters.learning_rate, row.validation_count, session["backend"]) == (1e-3, None, "torch")
    assert (first.ablations, first.seconds, first.reason) == ((), 0.1, "")
    assert second.ablations == (AblatedUnit(layer=1, unit=7, incoming=0, outgoing=0),)
    assert (row.lkg_dead, row.lkg_inactive, second.lkg_dead, second.lkg_inactive, second.dead_units) == (None,) * 5
    found = sqlite3.connect(tmp_path / FILE_NAME).execute("PRAGMA user_version").fetchone()
    assert found == ((FORMAT if rises else version),)


def test_loops_of_an_old_study_are_read_as_they_were_and_can_be_added_to(tmp_path):
    make_old(tmp_path, 2)
    with read_store(tmp_path) as store:
        before = store.loops("s")
        assert decode_ablations(before[0][4]) == (AblatedUnit(layer=0, unit=3, incoming=0, outgoing=0),)
    with open_store(tmp_path) as store:
        assert store.loops("s") == before
        store.put("s", [trial()], [loop(2)])
        assert [row[3] for row in store.loops("s")] == [1, 2]


def test_a_first_format_gains_the_tables_of_studies(tmp_path):
    make_old(tmp_path, 1)
    with read_store(tmp_path) as store:
        assert store is None
    with open_store(tmp_path) as store:
        enter(store)
        assert [row.study for row in store.studies()] == ["s"]


NEWER_COLUMNS = {
    3: {"meta_loops": ("lkg_correct", "lkg_meta_loop"), "trial_loops": ("lkg_correct", "lkg_meta_loop")},
    4: {
        **dict.fromkeys(("runs", "trials"), ("lkg_dead", "lkg_inactive")),
        **dict.fromkeys(("meta_loops", "trial_loops"), ("lkg_dead", "lkg_inactive", "dead_units")),
    },
    5: dict.fromkeys(("meta_loops", "trial_loops"), ("promoting_correct",)),
    6: dict.fromkeys(("meta_loops", "trial_loops"), ("train_accuracy",)),
}
"""What tables of each format lack that those of the next one have."""


@pytest.mark.parametrize("version", [3, 4, 5, 6])
def test_a_study_of_format_3_to_6_is_read_as_it_is_and_can_be_added_to(tmp_path, version):
    with open_store(tmp_path) as store:
        enter(store)
        store.put("s", [trial(bounty=0.5, lkg_dead=1)], [loop(1, ablations=HITS)])
    with sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None) as connection:
        # SQLite cannot drop a column that a comment stands behind.
        connection.create_function("without_comments", 1, lambda sql: re.sub("--.*", "", sql))
        connection.executescript(
            "PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = without_comments(sql) WHERE type = 'table'; "
            "PRAGMA writable_schema = RESET"
        )
        for tables in (NEWER_COLUMNS[format] for format in NEWER_COLUMNS if format >= version):
            for table, columns in tables.items():
                for column in columns:
                    connection.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
        connection.execute(f"PRAGMA user_version = {version}")
    connection.close()
    known = trial(bounty=0.5, lkg_dead=1 if version >= 5 else None)
    with read_store(tmp_path) as store:
        assert store.trials("s") == [known]
        before = store.loops("s")
    first, units = ((None, None) if version == 3 else (5, 1)), (1, 2, "[[0,3]]") if version >= 5 else (None,) * 3
    promoting = 4 if version == 6 else None
    assert before[0][-7:] == (*first, *units, promoting, None)
    with open_store(tmp_path) as store:
        assert (store.trials("s"), store.loops("s")) == ([known], before)
        store.put("s", [trial(bounty=0.5, lkg_dead=2)], [loop(2)])
        assert [row.lkg_dead for row in store.trials("s")] == [2]
        assert [row[-5:] for row in store.loops("s")] == [(*units, promoting, None), (1, 2, "[[0,3]]", 4, 0.75)]
