import sqlite3
import subprocess
import sys
from dataclasses import replace

import pytest

from psa_tui.errors import HistoryError
from psa_tui.method.events import MetaLoopFinished, NeuronAblated, Outcome, Progress, RunFinished, Verdict
from psa_tui.method.variants import AblationMode
from psa_tui.storage.database import FILE_NAME
from psa_tui.storage.run_store import open_history, read_history


def loop(number, correct=100, loss=0.5):
    return MetaLoopFinished(
        member=0,
        meta_loop=number,
        mode=AblationMode.HIDDEN,
        verdict=Verdict.PROMOTED,
        finite=True,
        validation_correct=correct,
        validation_accuracy=correct / 500,
        gain=None,
        train_loss=loss,
        seconds=0.1,
        ablation=NeuronAblated(
            member=0,
            meta_loop=number,
            mode=AblationMode.HIDDEN,
            layer=1,
            layers=4,
            neuron=2,
            width=4,
            incoming=4,
            outgoing=3,
        ),
        progress=Progress(meta_loop=number, validation_count=500, lkg_correct=correct, lkg_meta_loop=number),
    )


@pytest.fixture
def record(checkpoint):
    return replace(checkpoint.record, progress=Progress(validation_count=500))


def test_a_loop_is_read_back_with_its_ablation(tmp_path, record):
    with open_history(tmp_path) as history:
        assert history.begin(record, tmp_path / "lkg") == 0
        history.add(record.run, loop(1))
    with read_history(tmp_path) as history:
        (row,) = history.loops(record.run)
    assert row == {
        "run": record.run,
        "meta_loop": 1,
        "mode": "hidden",
        "ablated_layer": 1,
        "ablated_neuron": 2,
        "train_loss": 0.5,
        "validation_correct": 100,
        "validation_count": 500,
        "finite": 1,
        "verdict": "promoted",
        "seconds": 0.1,
    }


def test_writing_a_loop_again_replaces_it_and_a_loss_that_is_no_number_is_null(tmp_path, record):
    with open_history(tmp_path) as history:
        history.begin(record, tmp_path / "lkg")
        history.add(record.run, loop(1))
        history.add(record.run, loop(1, correct=200, loss=float("nan")))
        (row,) = history.loops(record.run)
    assert (row["validation_correct"], row["train_loss"]) == (200, None)


def test_a_new_session_forgets_the_loops_its_checkpoint_does_not_know_and_counts_those_it_lacks(tmp_path, record):
    with open_history(tmp_path) as history:
        history.begin(record, tmp_path / "lkg")
        for number in (1, 2, 3):
            history.add(record.run, loop(number))
        back = replace(record, progress=replace(record.progress, meta_loop=2))
        assert history.begin(back, tmp_path / "lkg") == 0
        assert [row["meta_loop"] for row in history.loops(record.run)] == [1, 2]
        ahead = replace(record, progress=replace(record.progress, meta_loop=5))
        assert history.begin(ahead, tmp_path / "lkg") == 3


def test_the_state_of_a_run_follows_its_sessions(tmp_path, record):
    with open_history(tmp_path) as history:
        history.begin(record, tmp_path / "lkg")
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
    with read_history(tmp_path) as history:
        assert history is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("opener", [open_history, read_history])
def test_a_damaged_a_foreign_and_a_newer_database_are_refused_and_left_as_they_are(tmp_path, opener):
    path = tmp_path / FILE_NAME
    path.write_bytes(b"not a database, but long enough to be mistaken for one" * 100)
    before = path.read_bytes()
    with pytest.raises(HistoryError, match="move it away"), opener(tmp_path):
        pass
    assert path.read_bytes() == before
    for statement, message in (
        ("CREATE TABLE x (y)", "not a psa-tui history"),
        ("PRAGMA user_version = 9", "history format 9, this version reads 2; update psa-tui"),
    ):
        path.unlink()
        with sqlite3.connect(path) as connection:
            connection.execute(statement)
        connection.close()
        with pytest.raises(HistoryError, match=message), opener(tmp_path):
            pass


def test_a_full_disk_is_one_clear_error_and_the_history_stays_readable(tmp_path, record):
    with open_history(tmp_path) as history:
        history.begin(record, tmp_path / "lkg")
        history.add(record.run, loop(1))
    script = f"""
import pathlib, resource, sys
sys.path.insert(0, {str(__file__.rsplit("/", 1)[0])!r})
from test_run_store import loop
from psa_tui.errors import HistoryError
from psa_tui.storage.run_store import open_history
with open_history(pathlib.Path({str(tmp_path)!r})) as history:
    resource.setrlimit(resource.RLIMIT_FSIZE, (16384, 16384))
    try:
        for number in range(2, 500):
            history.add({record.run!r}, loop(number))
    except HistoryError as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert "the history cannot be used" in done.stdout, done.stderr
    assert "free space" in done.stdout
    with read_history(tmp_path) as history:
        numbers = [row["meta_loop"] for row in history.loops(record.run)]
    assert numbers == list(range(1, len(numbers) + 1))
