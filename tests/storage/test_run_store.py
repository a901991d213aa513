import os
import re
import sqlite3
import sys
from contextlib import closing
from dataclasses import replace

import pytest

from psa_tui.errors import ConfigError, HistoryError
from psa_tui.method.ablation import AblatedUnit
from psa_tui.method.events import MetaLoopFinished, Outcome, RunFinished, UnitsAblated, Verdict
from psa_tui.method.progress import Progress
from psa_tui.runs.stored_loops import network_of
from psa_tui.storage.database import FILE_NAME
from psa_tui.storage.labels import Labels, check_labels, check_run_name
from psa_tui.storage.meta_loops import MetaLoopRow
from psa_tui.storage.run_store import SplitCounts, open_runs, read_runs
from psa_tui.storage.schema import APPLICATION_ID, FORMAT
from tests import program

UNITS = (
    AblatedUnit(layer=1, unit=2, incoming=4, outgoing=3),
    AblatedUnit(layer=3, unit=9, incoming=4, outgoing=0, effect="noise"),
)
SPLITS = SplitCounts(train=4000, validation=500, test=500, majority_class_accuracy=0.124)


def loop(number, correct=100, loss=0.5):
    return MetaLoopFinished(
        member=0,
        meta_loop=number,
        mode="hidden",
        verdict=Verdict.PROMOTED,
        finite=True,
        validation_correct=correct,
        validation_accuracy=correct / 500,
        gain=None,
        train_loss=loss,
        seconds=0.1,
        ablation=UnitsAblated(
            member=0,
            meta_loop=number,
            mode="hidden",
            layers=4,
            units=UNITS,
        ),
        progress=Progress(
            meta_loop=number,
            validation_count=500,
            lkg_correct=correct,
            lkg_meta_loop=number,
            best_correct=correct,
            best_meta_loop=number,
        ),
        reason="the first candidate",
        train_accuracy=0.25,
    )


@pytest.fixture
def record(checkpoint):
    return replace(checkpoint.record, progress=Progress(validation_count=500))


def test_a_loop_is_read_back_with_its_ablation(tmp_path, record):
    with open_runs(tmp_path) as history:
        assert history.begin_session(record, tmp_path / "lkg", SPLITS) == 0
        history.add(record.run, loop(1))
    with read_runs(tmp_path) as history:
        (row,) = history.loops(record.run)
    assert row == MetaLoopRow(
        meta_loop=1,
        mode="hidden",
        ablations=UNITS,
        train_loss=0.5,
        validation_correct=100,
        validation_count=500,
        finite=True,
        verdict="promoted",
        reason="the first candidate",
        seconds=0.1,
        lkg_correct=100,
        lkg_meta_loop=1,
        train_accuracy=0.25,
    )


def test_writing_a_loop_again_replaces_it_and_a_loss_that_is_no_number_is_null(tmp_path, record):
    with open_runs(tmp_path) as history:
        history.begin_session(record, tmp_path / "lkg", SPLITS)
        history.add(record.run, loop(1))
        history.add(record.run, loop(1, correct=200, loss=float("nan")))
        (row,) = history.loops(record.run)
    assert (row.validation_correct, row.train_loss) == (200, None)


def test_a_new_session_forgets_the_loops_its_checkpoint_does_not_know_and_counts_those_it_lacks(tmp_path, record):
    with open_runs(tmp_path) as history:
        history.begin_session(record, tmp_path / "lkg", SPLITS)
        for number in (1, 2, 3):
            history.add(record.run, loop(number))
        back = replace(record, progress=replace(record.progress, meta_loop=2))
        assert history.begin_session(back, tmp_path / "lkg", SPLITS) == 0
        assert [row.meta_loop for row in history.loops(record.run)] == [1, 2]
        ahead = replace(record, progress=replace(record.progress, meta_loop=5))
        assert history.begin_session(ahead, tmp_path / "lkg", SPLITS) == 3


def test_the_state_of_a_run_follows_its_sessions(tmp_path, record):
    with open_runs(tmp_path) as history:
        history.begin_session(record, tmp_path / "lkg", SPLITS)
        assert [row.state for row in history.latest(5)] == ["running"]
        event = loop(1)
        history.add(record.run, event)
        history.end(
            RunFinished(
                run=record.run,
                outcome=Outcome.STOPPED,
                reason="TERM",
                last_meta_loop=5,
                progress=event.progress,
                test_accuracy=0.25,
                seconds=1.0,
            )
        )
        (row,) = history.latest(5)
    assert (row.state, row.reason, row.meta_loop, row.bounty, row.test_accuracy) == ("stopped", "TERM", 1, 0.2, 0.25)


def test_reading_where_there_is_no_history_makes_none(tmp_path):
    with read_runs(tmp_path) as history:
        assert history is None
    assert list(tmp_path.iterdir()) == []


def test_a_history_in_a_folder_that_cannot_be_written_is_read_without_a_file_beside_it(tmp_path, record, monkeypatch):
    with open_runs(tmp_path) as history:
        history.begin_session(record, tmp_path / "lkg", SPLITS)
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]
    monkeypatch.setattr("os.access", lambda path, mode: (path, mode) != (tmp_path, os.W_OK))
    with read_runs(tmp_path) as history:
        assert [row.run for row in history.latest(5)] == [record.run]
        assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]


@pytest.mark.parametrize("opener", [open_runs, read_runs])
def test_a_damaged_a_foreign_and_a_newer_database_are_refused_and_left_as_they_are(tmp_path, opener):
    path = tmp_path / FILE_NAME
    path.write_bytes(b"not a database, but long enough to be mistaken for one" * 100)
    before = path.read_bytes()
    with pytest.raises(HistoryError, match="move it away"), opener(tmp_path):
        pass
    assert path.read_bytes() == before
    for statement, message in (
        ("CREATE TABLE x (y)", "not a psa-tui history"),
        ("CREATE TABLE x (y); PRAGMA user_version = 2", "not a psa-tui history"),
        ("CREATE TABLE runs (y); PRAGMA application_id = 7; PRAGMA user_version = 3", "not a psa-tui history"),
        (
            f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 11",
            f"history format 11, this version reads {FORMAT}; update psa-tui",
        ),
    ):
        path.unlink()
        with sqlite3.connect(path) as connection:
            connection.executescript(statement)
        connection.close()
        before = path.read_bytes()
        with pytest.raises(HistoryError, match=message), opener(tmp_path):
            pass
        assert path.read_bytes() == before


def test_a_loop_is_not_written_to_a_history_that_was_deleted_and_goes_on_when_it_is_put_back(tmp_path, record):
    folder, away = tmp_path / "results", tmp_path / "away"
    with open_runs(folder) as history:
        history.begin_session(record, tmp_path / "lkg", SPLITS)
        folder.rename(away)
        with pytest.raises(HistoryError, match="was moved or deleted while it was in use; put it back"):
            history.add(record.run, loop(1))
        away.rename(folder)
        history.add(record.run, loop(1))
    with read_runs(folder) as history:
        assert [one.meta_loop for one in history.loops(record.run)] == [1]


@pytest.mark.slow
def test_a_full_disk_is_one_clear_error_and_the_history_stays_readable(tmp_path, record):
    with open_runs(tmp_path) as history:
        history.begin_session(record, tmp_path / "lkg", SPLITS)
        history.add(record.run, loop(1))
    script = f"""
import pathlib, resource, sys
sys.path.insert(0, {str(__file__.rsplit("/", 1)[0])!r})
from test_run_store import SPLITS, loop
from psa_tui.errors import ConfigError, HistoryError
from psa_tui.storage.run_store import open_runs
with open_runs(pathlib.Path({str(tmp_path)!r})) as history:
    resource.setrlimit(resource.RLIMIT_FSIZE, (16384, 16384))
    try:
        for number in range(2, 500):
            history.add({record.run!r}, loop(number))
    except HistoryError as error:
        print(error)
"""
    done = program.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert "the history cannot be used" in done.stdout, done.stderr
    assert "see to the folder, space and permissions" in done.stdout
    with read_runs(tmp_path) as history:
        numbers = [row.meta_loop for row in history.loops(record.run)]
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.slow
def test_a_history_whose_writer_was_killed_half_way_can_be_read(tmp_path):
    script = f"""
import os, signal, sqlite3
connection = sqlite3.connect({str(tmp_path / FILE_NAME)!r}, isolation_level=None)
connection.executescript("PRAGMA cache_size = 1; BEGIN; CREATE TABLE half (x)")
connection.executemany("INSERT INTO half VALUES (randomblob(2000))", [()] * 200)
os.kill(os.getpid(), signal.SIGKILL)
"""
    program.run([sys.executable, "-c", script], timeout=60)
    assert (tmp_path / f"{FILE_NAME}-journal").stat().st_size > 0
    with read_runs(tmp_path) as store:
        assert store.latest(10) == [] if store else True
    with open_runs(tmp_path) as store:
        assert store.latest(10) == []


@pytest.mark.parametrize(
    ("statement", "complaint"),
    [
        ("UPDATE runs SET parameters = 'many'", "parameters is 'many'"),
        ("UPDATE runs SET seed = x'00'", "seed is"),
        ("UPDATE runs SET learning_rate = 1e999", "learning_rate"),
        ("UPDATE sessions SET versions = '" + "[" * 50_000 + "'", "nested too deeply"),
        ("UPDATE sessions SET versions = '[]'", "versions are no mapping"),
        ("UPDATE sessions SET after_meta_loop = 'late'", "integer"),
        ("UPDATE runs SET tags = '[1]'", "tags are no list of words"),
        ("UPDATE runs SET name = x'00'", "name is"),
        ("UPDATE meta_loops SET ablations = '[[1e999,0,0,0]]'", "the number 1e999"),
        ("UPDATE meta_loops SET ablations = '[[0.5,0,0,0]]'", "integer"),
        ("UPDATE meta_loops SET validation_count = 0", "no count of images"),
        ("UPDATE meta_loops SET verdict = 'won'", "verdict 'won'"),
        ("UPDATE meta_loops SET lkg_dead = 'many'", "integer"),
        ("UPDATE meta_loops SET dead_units = '[[0,0.5]]'", "integer"),
    ],
    ids=lambda text: text[:40],
)
def test_a_row_that_makes_no_sense_is_one_line_that_names_the_file(tmp_path, record, statement, complaint):
    with open_runs(tmp_path) as history:
        history.begin_session(record, tmp_path / "lkg", SPLITS)
        history.add(record.run, loop(1))
        history._database.connection.execute(statement)
    with read_runs(tmp_path) as history, pytest.raises(HistoryError, match="has a row that makes no sense") as caught:
        history.run(record.run), history.sessions(record.run), history.loops(record.run)
    assert complaint in str(caught.value)
    assert str(tmp_path / FILE_NAME) in str(caught.value)
    assert len(str(caught.value)) < 300 + len(str(tmp_path))


def test_labels_are_added_taken_off_and_kept_by_later_sessions(tmp_path, record):
    def row():
        found = history.run(record.run)
        return found.name, found.tags, found.note

    with open_runs(tmp_path) as history:
        history.begin_session(record, tmp_path / "lkg", SPLITS, labels=Labels("wide", ("b", "a"), "first try"))
        assert row() == ("wide", ("b", "a"), "first try")
        history.begin_session(record, tmp_path / "lkg", SPLITS)
        history.label(record.run, Labels(tags=("c", "a")), removed=["b"])
        assert row() == ("wide", ("a", "c"), "first try")
        history.begin_session(record, tmp_path / "lkg", SPLITS, labels=Labels("deep", ("ü",), ""))
        assert row() == ("deep", ("a", "c", "ü"), None)
        with pytest.raises(ConfigError, match="would have 53 tags, expected at most 50"):
            history.label(record.run, Labels(tags=tuple(map(str, range(50)))))
        history.label(record.run, Labels(), removed=["a", "c", "ü"])
        assert row() == ("deep", (), None)


@pytest.mark.parametrize(("version", "first_newer"), [(6, "name"), (7, "input_shape"), (8, "initialisation_seed")])
def test_a_history_of_an_earlier_format_is_read_and_then_brought_up_to_date(version, first_newer, tmp_path, record):
    record = replace(record, initialisation_seed=11)
    with open_runs(tmp_path) as history:
        history.begin_session(record, tmp_path / "lkg", SPLITS)
        assert history.run(record.run).initialisation_seed == 11
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as connection, connection:
        (made,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'runs'").fetchone()
        found = connection.execute("SELECT * FROM runs")
        (row,), names = found.fetchall(), [column[0] for column in found.description]
        kept = names.index(first_newer)
        lines = re.sub(r"\s*--.*", "", made).split(",\n")
        connection.executescript(
            f"DROP TABLE runs; {','.join(lines[:kept])}) WITHOUT ROWID; PRAGMA user_version = {version}"
        )
        connection.execute(f"INSERT INTO runs VALUES ({', '.join('?' * kept)})", row[:kept])
    shape = record.input_shape if version > 7 else ()
    with read_runs(tmp_path) as history:
        row = history.run(record.run)
        assert (row.name, row.tags, row.note, row.input_shape, row.initialisation_seed) == (None, (), None, shape, None)
    with open_runs(tmp_path) as history:
        history.label(record.run, Labels("wide", ("a",)))
        assert (history.run(record.run).name, history.run(record.run).tags) == ("wide", ("a",))
        assert history.run(record.run).initialisation_seed is None
        history.begin_session(record, tmp_path / "lkg", SPLITS)
        assert history.run(record.run).initialisation_seed == 11, "the checkpoint knows it"


@pytest.mark.parametrize("text", ["", "latest", ".trash", "a/b", "..", "a b", "x.safetensors", "é", "a\x1b", "n" * 65])
def test_a_name_that_could_be_a_path_a_file_or_another_run_is_refused(text):
    with pytest.raises(ConfigError, match="expected a name of letters"):
        check_run_name(text)
    assert check_run_name("wide-1.5_x") == "wide-1.5_x"


@pytest.mark.parametrize(
    ("tags", "note"),
    [(["a b"], None), ([""], None), (["a,b"], None), (["\x1b"], None), (["x" * 65], None), ([], "a\nb")],
)
def test_tags_are_words_and_a_note_is_a_line(tags, note):
    with pytest.raises(ConfigError, match="expected one"):
        check_labels(tags, note)
    assert check_labels(["a", "b", "a"], "any line") == Labels(None, ("a", "b"), "any line")


@pytest.mark.parametrize("quoted", [b"\x1b]0;\n\x1b  NOT NULL '", b"mode TEXT NOT \xff\xff \xff"])
def test_what_sqlite_quotes_of_a_malformed_schema_is_one_clean_line(tmp_path, record, quoted):
    with open_runs(tmp_path) as history:
        history.begin_session(record, tmp_path / "lkg", SPLITS)
    path = tmp_path / FILE_NAME
    path.write_bytes(path.read_bytes().replace(b"mode TEXT NOT NULL", quoted))
    with pytest.raises(HistoryError, match="move it away") as caught, read_runs(tmp_path):
        pass
    assert str(caught.value).isprintable()


def test_texts_are_clean_also_where_json_had_them_escaped(tmp_path, record):
    with open_runs(tmp_path) as history:
        history.begin_session(record, tmp_path / "lkg", SPLITS)
        history._database.connection.execute(
            "UPDATE sessions SET machine = ?, versions = ?", ("a\x1b]0;t\x07\u2028", '{"torch\\u001b": "2\\r\\n"}')
        )
    with read_runs(tmp_path) as history:
        (session,) = history.sessions(record.run)
    assert session["machine"] == "a\ufffd]0;t\ufffd\ufffd"
    assert session["versions"] == {"torch\ufffd": "2\ufffd\ufffd"}


def test_a_shape_in_a_row_asks_for_no_more_than_a_network_can_have(tmp_path, record):
    with open_runs(tmp_path) as history:
        history.begin_session(record, tmp_path / "lkg", SPLITS)
        row = history.run(record.run)
    assert network_of(row).parameters == row.parameters
    for text in ("[999999999*9]", "[2*5, 1*3]", "no shape"):
        parameters = 90_000_007_066 if text == "[999999999*9]" else row.parameters
        assert network_of(replace(row, architecture=text, parameters=parameters)) is None


@pytest.mark.parametrize("stored", ["a\x1b]0;b", "\0", "two\nlines"])
def test_a_run_whose_stored_name_would_drive_a_terminal_is_found_by_the_name_that_is_read(tmp_path, stored, record):
    with open_runs(tmp_path) as store:
        store.begin_session(replace(record, run=stored), tmp_path / "lkg.safetensors", SPLITS)
        store.add(stored, loop(1))
        (row,) = store.latest(1)
        assert row.run != stored
        assert store.run(row.run) == row
        assert [found.meta_loop for found in store.loops(row.run)] == [1]
        assert len(store.sessions(row.run)) == 1
        assert store.validation_curve(row.run)[1] == 1
        store.label(row.run, Labels(tags=("odd",), note="from elsewhere"))
        assert store.run(row.run).tags == ("odd",)
        # Of another that reads the same, nothing is mixed into it.
        other = row.run.replace("\N{REPLACEMENT CHARACTER}", "\x07")
        store.begin_session(replace(record, run=other), tmp_path / "lkg.safetensors", SPLITS)
        store.add(other, loop(1))
        assert [found.meta_loop for found in store.loops(row.run)] == [1]
