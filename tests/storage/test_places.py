import shutil
import sqlite3
from contextlib import closing

import pytest

from psa_tui.storage.database import FILE_NAME
from psa_tui.storage.run_store import SplitCounts, open_runs, read_runs

SPLITS = SplitCounts(train=4000, validation=500, test=500, majority_class_accuracy=0.124)
INSIDE = "models/wide/lkg"


@pytest.fixture
def record(checkpoint):
    return checkpoint.record


@pytest.fixture
def begun(tmp_path, record):
    """A folder with a run, whose checkpoint lies where the caller says; what became of it by ``kept(results)``."""

    def begin(place=INSIDE, version=None):
        checkpoint = tmp_path / "original" / place
        checkpoint.parent.mkdir(parents=True, exist_ok=True)
        checkpoint.touch()
        results = tmp_path / "original" / "results"
        with open_runs(results) as runs:
            runs.begin_session(record, checkpoint, SPLITS)
        if version is not None:
            with closing(sqlite3.connect(results / FILE_NAME)) as connection, connection:
                connection.execute("UPDATE runs SET checkpoint = ?", (str(checkpoint),))
                connection.execute(f"PRAGMA user_version = {version}")
        return tmp_path / "original", tmp_path / "elsewhere" / "copy"

    return begin


def found(folder, run):
    with read_runs(folder / "results") as runs:
        read = runs.run(run).checkpoint
    with open_runs(folder / "results") as runs:
        assert runs.run(run).checkpoint == read == str(runs.home(run))
    with read_runs(folder / "results") as runs:
        assert runs.run(run).checkpoint == read
    return read


@pytest.mark.parametrize("version", [None, 9])
def test_a_copied_folder_has_checkpoints_of_its_own_even_where_they_are_not_there(begun, record, version):
    original, copy = begun(version=version)
    shutil.copytree(original, copy)
    (copy / INSIDE).unlink()
    assert found(copy, record.run) == str(copy / INSIDE)
    assert found(original, record.run) == str(original / INSIDE)


@pytest.mark.parametrize("version", [None, 9])
def test_a_moved_folder_finds_its_checkpoints(begun, record, version):
    original, there = begun(version=version)
    there.parent.mkdir()
    original.rename(there)
    assert found(there, record.run) == str(there / INSIDE)


@pytest.mark.parametrize("version", [None, 9])
def test_a_checkpoint_somewhere_else_stays_there(begun, record, version, tmp_path):
    original, copy = begun(tmp_path / "shared" / "lkg", version)
    shutil.copytree(original, copy)
    assert found(copy, record.run) == found(original, record.run) == str(tmp_path / "shared" / "lkg")


def test_a_folder_that_is_reached_by_a_link_is_one_place(begun, record, tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "original").symlink_to("real")
    original, copy = begun()
    with open_runs(tmp_path / "real" / "results") as runs:
        runs.begin_session(record, original / INSIDE, SPLITS)
    shutil.copytree(original, copy)
    assert found(copy, record.run) == str(copy / INSIDE)
