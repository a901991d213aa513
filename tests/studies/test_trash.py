"""What `psa study delete` moves, brings back and deletes, and what a kill between two steps leaves."""

import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from psa_tui.errors import ConfigError, HistoryError, PsaError
from psa_tui.storage import study_transfer
from psa_tui.storage.database import FILE_NAME
from psa_tui.storage.locks import locked
from psa_tui.storage.schema import STUDY_TABLES
from psa_tui.storage.study_rows import LOCAL, JobRow, TrialLoop, TrialRow
from psa_tui.storage.study_store import open_store
from psa_tui.studies import trash
from psa_tui.studies.design.registration import load_registration, register
from psa_tui.studies.part_files import study_folder, study_lock
from psa_tui.studies.study_parsing import parse_study_file
from tests.storage.test_study_store import SETTINGS, loop
from tests.studies.design.conftest import TEXT


def add(folder, name):
    with open_store(folder) as store:
        store.enter(name, LOCAL, SETTINGS, seed=7, meta_loops=3, trials=2)
        session = store.begin_session(name, 1, "here", {"psa": "1"})
        rows = [TrialRow(architecture="2*4", mode="full", trial=n, parameters=3214, seed=n) for n in (1, 2)]
        store.put(name, rows, [TrialLoop("2*4", 1, loop(n).loop) for n in (1, 2, 3)], session)
        store.end_session(name, session, "finished", "")
        store.put_fetched(name, SETTINGS, 2, [], [JobRow("job", "2*4", "full", "e", "accepted", "", "now")])


def content(folder):
    """Every row of every table of studies."""
    with closing(sqlite3.connect(folder / FILE_NAME)) as connection:
        return {table: sorted(map(repr, connection.execute(f"SELECT * FROM {table}"))) for table in STUDY_TABLES}


@pytest.fixture
def folder(tmp_path):
    """Two studies, the first with a state of a part under way."""
    results = tmp_path / "results"
    add(results, "mine")
    add(results, "other")
    parts = study_folder(results, "mine")
    parts.mkdir(parents=True)
    (parts / "part.state").write_bytes(b"weights")
    return results


@pytest.fixture
def run(folder, command, monkeypatch, capsys):
    monkeypatch.chdir(folder.parent)

    def run(*words):
        command.main(["study", *words], standalone_mode=False)
        return capsys.readouterr().out

    return run


def test_a_deleted_study_leaves_the_others_alone_and_comes_back_whole(folder, run):
    before = content(folder)
    assert all(len(rows) >= 2 for rows in before.values())
    with open_store(folder) as store:
        others = store.study("other")
    assert run("delete", "mine") == (
        "study mine with 2 trials moved to results/.trash; psa study delete --undo brings it back\n"
    )
    after = content(folder)
    assert all("'mine'" not in row for rows in after.values() for row in rows)
    assert all([row for row in before[table] if "'other'" in row] == after[table] for table in STUDY_TABLES)
    assert not study_folder(folder, "mine").exists()
    with open_store(folder) as store:
        assert store.studies() == [others]
    assert run("delete", "--undo", "--dry-run") == "study mine would be brought back\n"
    assert content(folder) == after
    assert run("delete", "--undo") == "study mine brought back\n"
    assert content(folder) == before
    assert (study_folder(folder, "mine") / "part.state").read_bytes() == b"weights"
    with pytest.raises(PsaError, match="nothing is in the trash of results"):
        run("delete", "--undo")


@pytest.mark.parametrize("step", ["_lacks", "_delete", "_move_files"])
def test_a_deletion_that_ends_between_two_steps_loses_nothing(folder, run, monkeypatch, step):
    before = content(folder)

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as during:
        during.setattr(trash if step == "_move_files" else study_transfer, step, stop)
        with pytest.raises(KeyboardInterrupt):
            trash.move_to_trash(folder, "mine")
    if step != "_move_files":
        assert content(folder) == before
        trash.move_to_trash(folder, "mine")
    assert trash.bring_back(folder) == "mine"
    assert content(folder) == before
    assert (study_folder(folder, "mine") / "part.state").read_bytes() == b"weights"
    with pytest.raises(PsaError, match="nothing is in the trash"):
        trash.bring_back(folder)
    assert content(folder) == before


def test_what_changes_while_it_is_deleted_stays(folder, monkeypatch):
    copied = study_transfer._lacks

    def another(connection, *arguments):
        connection.execute("UPDATE main.trials SET seconds = 5 WHERE study = 'mine'")
        return copied(connection, *arguments)

    monkeypatch.setattr(study_transfer, "_lacks", another)
    with pytest.raises(HistoryError, match="study mine changed meanwhile, so nothing was removed"):
        trash.move_to_trash(folder, "mine")
    assert any("'mine'" in row for row in content(folder)["trials"])


def test_a_study_that_runs_or_is_there_again_or_is_unknown_is_refused(folder, run):
    before = content(folder)
    with locked(study_lock(folder, "mine")), pytest.raises(ConfigError, match=r"is being run by process \d+"):
        run("delete", "mine")
    with pytest.raises(ConfigError, match="no study mime is in results; did you mean 'mine'"):
        run("delete", "mime")
    assert content(folder) == before
    run("delete", "mine")
    add(folder, "mine")
    with pytest.raises(PsaError, match="study mine is in results again, so nothing was brought back"):
        run("delete", "--undo")
    assert run("list").count("mine") == 1


def test_a_purge_deletes_for_good_and_only_when_it_was_said(folder, run):
    run("delete", "other")
    before = content(folder)
    with pytest.raises(ConfigError, match=r"study mine with 2 trials, study other in the trash would be deleted"):
        run("delete", "mine", "--purge")
    assert content(folder) == before
    assert run("delete", "mine", "--purge", "--yes").splitlines() == [
        "study mine with 2 trials deleted for good",
        "study other in the trash deleted for good",
    ]
    assert not any(content(folder).values())
    assert sorted(path.name for path in folder.iterdir()) == [FILE_NAME, "studies"]


@pytest.mark.parametrize("place", [".trash", "studies/mine"])
def test_a_link_leads_nowhere(folder, run, tmp_path, place):
    away = tmp_path / "elsewhere"
    away.mkdir()
    (away / "precious").write_text("mine")
    link = folder / place
    if link.exists():
        (link / "part.state").unlink()
        link.rmdir()
    link.symlink_to(away)
    before = content(folder)
    with pytest.raises(ConfigError, match="is a symbolic link, expected a folder"):
        run("delete", "mine")
    assert content(folder) == before
    assert [path.name for path in away.iterdir()] == ["precious"]


def test_a_registered_study_says_that_it_is_and_its_registration_stays(folder, run, small_study):
    spec = replace(small_study, name="mine")
    design = parse_study_file(TEXT, "mine.toml", "mine").design
    registration, _ = register(folder, spec, design)
    said = run("delete", "mine")
    assert "study mine with 2 trials (registered " in said
    assert f"SHA-256 {registration.sha256[:16]}...; 0 of 2 looks taken" in said
    assert "the registration stays) moved to" in said
    assert load_registration(folder, "mine") == registration
