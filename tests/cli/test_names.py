"""Runs by names of their own: a folder each in the models folder, with tags and a note."""

import json
import re
import sys
from pathlib import Path

import pytest

from psa_tui.runs.checkpoint_files import DEFAULT_NAME
from psa_tui.storage.checkpoint import read_checkpoint
from psa_tui.storage.locks import locked
from psa_tui.storage.run_store import read_runs
from tests import program

pytestmark = pytest.mark.slow

TINY = ("train", "--dataset", "mnist5k", "--lr", "1e-2", "--threads", "1", "--meta-loops", "2")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three runs in one models folder: a bare one, wide (with labels) and deep, the latest."""
    path = tmp_path_factory.mktemp("names")
    for words in (
        "--arch [1*4] --seed 1",
        "--arch [1*8] --seed 2 --name wide --tag good --tag first --note tried",
        "--arch [2*4] --seed 3 --name deep --tag good",
    ):
        program.run([sys.executable, "-m", "psa_tui", *TINY, *words.split()], cwd=path, check=True, capture_output=True)
    return path


@pytest.fixture
def told(psa, folder, monkeypatch):
    """Run a command where the three runs are; what it said as JSON."""
    monkeypatch.chdir(folder)

    def run(*words):
        done = psa(*words, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def test_each_run_has_a_folder_to_itself_and_all_are_listed(psa, told, folder):
    files = [path.relative_to(folder / "models") for path in (folder / "models").rglob("*.safetensors")]
    assert {path.parent.name for path in files if "previous" not in path.name} == {"", "wide", "deep"}
    assert {path.name for path in files} == {DEFAULT_NAME, "mnist_lkg.previous.safetensors"}
    found = told("status")
    assert [(one["name"], one["architecture"]) for one in found["checkpoints"]] == [
        (None, "[1*4]"),
        ("deep", "[2*4]"),
        ("wide", "[1*8]"),
    ]
    assert [one["name"] for one in found["runs"]] == ["deep", "wide", None]
    lines = psa("status").stdout.splitlines()
    assert [line.split()[0] for line in lines[1:4]] == [DEFAULT_NAME, f"deep/{DEFAULT_NAME}", f"wide/{DEFAULT_NAME}"]
    assert [line.split()[0] for line in lines[6:8]] == ["deep", "wide"]
    only = told("status", "--name", "wide")
    assert [[one["name"] for one in only[kind]] for kind in ("checkpoints", "runs")] == [["wide"], ["wide"]]


def test_a_name_stands_for_the_run_wherever_a_run_is_asked_for(psa, told):
    shown = told("results", "show", "wide")["run"]
    assert (shown["name"], shown["tags"], shown["note"]) == ("wide", ["good", "first"], "tried")
    lines = psa("results", "show", "wide").stdout.splitlines()
    assert {"name          wide", "tags          good first", "note          tried"} <= set(lines)
    differ = told("results", "diff", "wide", "deep")
    assert differ["settings_that_differ"]["architecture"] == ["[1*8]", "[2*4]"]
    assert psa("results", "diff", "wide", "deep").stdout.split()[:2] == ["wide", "deep"]
    followed = psa("results", "follow", "wide", "--plain")
    assert followed.stdout.startswith(f"run wide ({shown['run']}): [1*8], ")
    wrong = psa("results", "show", "wid3")
    assert (wrong.returncode, "'wid3' is no run; the nearest: wide" in wrong.stderr) == (2, True)


def test_runs_are_listed_with_their_names_and_tags_and_found_by_tags(psa, told):
    head, *lines = psa("results", "runs").stdout.splitlines()
    assert head.split() == [
        "name",
        "run",
        "state",
        "shape",
        "mode",
        "data",
        "loops",
        "time",
        "bounty",
        "tags",
        "accuracy",
    ]
    assert [line.split()[0] for line in lines[:2]] == ["deep", "wide"]
    assert re.search(r" good first +[▁-█]{2}", lines[1])

    def names(*words):
        return [run["name"] for run in told("results", "runs", *words)["runs"]]

    assert names("--tag", "good") == ["deep", "wide"]
    assert names("--tag", "good", "--tag", "first") == ["wide"]
    assert names("--tag", "good", "--limit", "1") == ["deep"]
    nothing = psa("results", "runs", "--tag", "bad")
    assert (nothing.stdout, nothing.stderr) == ("", "psa: no run in results has the tag bad\n")


def test_labels_are_changed_afterwards_and_the_run_stays_as_recent_as_it_was(psa, told):
    before = told("results", "show", "deep")["run"]
    done = psa("results", "label", "deep", "--tag", "later", "--untag", "good", "--note", "see wide")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "psa: deep: tags later; note see wide\n")
    after = told("results", "show", "deep")["run"]
    assert after == before | {"tags": ["later"], "note": "see wide"}
    assert psa("results", "label", "deep", "--tag", "good", "--untag", "later", "--note", "").returncode == 0
    assert told("results", "show", "deep")["run"] == before | {"tags": ["good"], "note": None}
    for words, code in ((("deep",), 2), (("deep", "--tag", "a b"), 2), (("gone", "--tag", "a"), 2)):
        assert psa("results", "label", *words).returncode == code


def test_a_run_gets_another_name_with_its_folder_its_history_and_all_that_is_said_of_it(psa, tmp_path):
    for words in ("--arch [1*4] --name one --seed 1", "--arch [1*4] --name two --seed 2", "--arch [1*4] --seed 3"):
        assert psa(*TINY, *words.split(), "--quiet").returncode == 0
    models = tmp_path / "models"
    before = (models / "one" / DEFAULT_NAME).read_bytes()
    done = psa("results", "label", "one", "--name", "first", "--tag", "good")
    assert (done.returncode, done.stderr) == (0, "psa: first: tags good; note none\n")
    assert not (models / "one").exists()
    assert not list((models / "first").glob(".*previous*.lock"))
    assert (models / "first" / DEFAULT_NAME).read_bytes() == before
    for words, said in (
        (("first", "--name", "two"), "models/two already; choose another name"),
        (("first", "--name", "../away"), "expected a name of letters"),
        (("latest", "--name", "third"), "has no name, and so no folder of its own"),
    ):
        done = psa("results", "label", *words)
        assert (done.returncode, said in done.stderr, done.stderr.count("\n")) == (2, True, 1), done.stderr
    with locked(models / "first" / DEFAULT_NAME):
        done = psa("results", "label", "first", "--name", "third")
    assert (done.returncode, "is being trained by process" in done.stderr) == (1, True)
    assert psa("resume", "--name", "first", "--meta-loops", "1", "--quiet").returncode == 0
    # What a kill leaves that came between the folder and the history.
    (models / "first").rename(models / "third")
    assert psa("results", "label", "first", "--name", "third").returncode == 0
    with read_runs(tmp_path / "results") as history:
        found = {row.name: (Path(row.checkpoint), row.meta_loop) for row in history.latest(-1)}
    homes = {"third": models / "third", "two": models / "two", None: models}
    assert found == {name: (home / DEFAULT_NAME, 3 if name == "third" else 2) for name, home in homes.items()}
    assert psa("clean", "--name", "third").returncode == 0
    done = psa("results", "label", "third", "--name", "fourth")
    assert (done.returncode, "psa clean --undo brings back" in done.stderr) == (2, True)


def test_a_named_run_says_how_to_go_on_and_goes_on_by_its_name(psa):
    done = psa(*TINY, "--arch", "[1*8]", "--name", "mine", "--json")
    assert json.loads(done.stdout.splitlines()[-1])["resume_command"] == "psa resume --name mine"
    again = psa("resume", "--name", "mine", "--meta-loops", "1", "--json")
    assert json.loads(again.stdout.splitlines()[0])["name"] == "mine"
    assert read_checkpoint(Path("models", "mine", DEFAULT_NAME)).record.progress.meta_loop == 3
    other = psa("train", "--name", "mine", "--arch", "[1*9]")
    assert other.stderr.endswith("--name NAME trains another run beside it, or psa clean --name mine takes it away\n")
    assert psa("resume").returncode == 2
    away = psa("resume", "--name", "../mine")
    assert (away.returncode, away.stderr.count("\n")) == (2, 1)
    assert "psa: error: --name: expected a name of letters" in away.stderr


def test_a_link_with_a_runs_name_and_labels_of_many_trials_are_refused(psa, tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "models" / "mine").symlink_to(tmp_path / "outside")
    done = psa(*TINY, "--name", "mine")
    assert (done.returncode, "models/mine is a symbolic link" in done.stderr) == (2, True)
    assert list((tmp_path / "outside").iterdir()) == []
    assert psa("status").returncode == 0
    for words in (("--name", "mine"), ("--tag", "a")):
        done = psa("train", "--trials", "2", *words)
        assert (done.returncode, "of a single run" in done.stderr) == (2, True)
