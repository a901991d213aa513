"""A hyperparameter that is added to the record, in a copy of the package, appears wherever hyperparameters do."""

import json
import os
import shutil
import sqlite3
import sys
from pathlib import Path

import pytest
import safetensors

import psa_tui
from tests import program

pytestmark = pytest.mark.slow

ROOT = Path(psa_tui.__file__).parents[1]
FIELD = '    momentum: float = _declared(0.5, "momentum", "A number that nobody reads.", "RATE", least=0, most=1)\n'
LAST = "    dropout: float = _declared("


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of the package whose record has one field more; returns how to run its program in one empty folder."""
    folder = tmp_path_factory.mktemp("copy")
    shutil.copytree(ROOT / "psa_tui", folder / "psa_tui", ignore=shutil.ignore_patterns("__pycache__"))
    record = folder / "psa_tui" / "method" / "hyperparameters.py"
    text = record.read_text(encoding="utf-8")
    assert text.count(LAST) == 1
    record.write_text(text.replace(LAST, FIELD + LAST), encoding="utf-8")
    work = folder / "work"
    work.mkdir()
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PSA_")}

    def run(*words, **variables):
        command = [sys.executable, "-m", "psa_tui", *words]
        # Kernels of a copy would be compiled anew.
        environment = clean | {"PYTHONPATH": str(folder), "PSA_BACKEND": "torch"} | variables
        done = program.run(command, cwd=work, env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    run.folder, run.work = folder, work
    run("train", "--dataset", "mnist5k", "--arch", "1*4", "--meta-loops", "1", "--momentum", "0.25", "--quiet")
    return run


@pytest.mark.parametrize("command", [("train",), ("reproduce", "run"), ("reproduce", "plan")])
def test_commands_take_it_as_an_option_with_its_help(copy, command):
    text = " ".join(copy(*command, "--help").split())
    assert "--momentum RATE A number that nobody reads (default 0.5)." in text


def test_it_is_a_variable_a_key_of_psa_toml_and_a_row_of_psa_config(copy):
    def row(**variables):
        (found,) = (one for one in json.loads(copy("config", "--json", **variables)) if one["setting"] == "momentum")
        return found["value"], found["origin"], found["variable"]

    assert row() == ("0.5", "default", "PSA_MOMENTUM")
    assert row(PSA_MOMENTUM="0.75") == ("0.75", "PSA_MOMENTUM", "PSA_MOMENTUM")
    (copy.work / "psa.toml").write_text("momentum = 0.125\n", encoding="utf-8")
    assert row()[:2] == ("0.125", "momentum in psa.toml")
    (copy.work / "psa.toml").unlink()


def test_checkpoints_and_tables_hold_it(copy):
    with safetensors.safe_open(copy.work / "models" / "mnist_lkg.safetensors", framework="np") as file:
        assert file.metadata()["momentum"] == "0.25"
    connection = sqlite3.connect(copy.work / "results" / "history.sqlite")
    for table in ("runs", "sessions"):
        assert connection.execute(f"SELECT momentum FROM {table}").fetchall() == [(0.25,)]
    connection.close()


def test_json_and_events_and_a_resume_tell_it(copy):
    (run,) = json.loads(copy("status", "--json"))["runs"]
    assert run["momentum"] == 0.25
    started = json.loads(copy("resume", "--meta-loops", "1", "--json").splitlines()[0])
    assert (started["event"], started["momentum"]) == ("run_started", 0.25)
    assert "momentum" not in copy("results", "diff", "latest", "latest").partition("the same")[0]


def test_a_study_keeps_it_and_gives_it_to_its_trials_commands(copy):
    size = ("--grid", "1*3", "--modes", "none", "--trials", "1", "--meta-loops", "1", "--workers", "1")
    copy("reproduce", "run", *size, "--dataset", "mnist5k", "--study", "s", "--momentum", "0.25", "--quiet")
    assert json.loads(copy("reproduce", "status", "--study", "s", "--json"))["study"]["momentum"] == 0.25
    assert "--momentum 0.25" in copy("reproduce", "show", "1*3", "none", "1", "--study", "s")


def test_a_request_to_sagemaker_has_it(copy):
    script = """
from psa_tui.aws.study import job_parameters
from psa_tui.method.hyperparameters import Hyperparameters
from psa_tui.method.variants import NONE
from psa_tui.networks import NETWORKS
from psa_tui.studies.spec import StudySpec
network = NETWORKS.find("mlp").parse("1*3", (1, 28, 28), 10)
spec = StudySpec(
    name="s", networks=(network,), variants=(NONE,), trials=1, meta_loops=1, seed=0, dataset="mnist",
    dataset_fingerprint="", hyperparameters=Hyperparameters(momentum=0.25),
)
print(job_parameters(spec, CELL)["momentum"])
"""
    script = script.replace("CELL", '("1*3", "none")')
    environment = os.environ | {"PYTHONPATH": str(copy.folder)}
    done = program.run(
        [sys.executable, "-c", script], cwd=copy.work, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == "0.25", done.stderr


def test_files_made_before_it_existed_take_its_default(copy, psa, tmp_path):
    psa("train", "--dataset", "mnist5k", "--arch", "1*4", "--meta-loops", "1", "--quiet")
    where = ("--model-dir", str(tmp_path / "models"), "--results-dir", str(tmp_path / "results"))
    started = json.loads(copy("resume", *where, "--meta-loops", "1", "--json").splitlines()[0])
    assert started["momentum"] == 0.5
    assert {run["momentum"] for run in json.loads(copy("status", *where, "--json"))["runs"]} == {0.5}
