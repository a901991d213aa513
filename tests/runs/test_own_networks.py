"""Runs and studies of a user's own module, by the real program: killed, resumed, read back, and never run unasked."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from psa_tui.cli.app import app
from psa_tui.networks import NETWORKS
from tests import program
from tests.examples.test_own import load
from tests.seams.conftest import Program, refusal

pytestmark = pytest.mark.slow

EXAMPLE = Path(__file__).parents[2] / "examples" / "own_module.py"
MARK = """
with open(__file__ + ".ran", "a") as ran:
    ran.write("once\\n")
"""
LKG = Path("models") / "mnist5k_own_module.py-build_lkg.safetensors"
OPTIONS = ("--dataset", "mnist5k", "--arch", "4", "--mode", "hidden", "--seed", "1", "--threads", "1", "--lr", "1e-2")


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """The program in a folder with the example, which tells when it is run, and a run of it that was killed."""
    psa = Program(tmp_path_factory.mktemp("own"))
    (psa.folder / "own_module.py").write_text(EXAMPLE.read_text() + MARK)
    train = ("train", "--network", "own_module.py:build", *OPTIONS, "--meta-loops", "3", "--with", "dropout")
    process = program.Popen(
        psa.command(*train, "--json"), cwd=psa.folder, env=psa.environment(None), stdout=subprocess.PIPE, text=True
    )
    for line in process.stdout:
        if '"meta_loop_finished"' in line:
            os.kill(process.pid, signal.SIGKILL)
            break
    process.communicate(timeout=60)
    return psa


def times_run(psa):
    """How often the user's file was run."""
    return len((psa.folder / "own_module.py.ran").read_text().splitlines())


def test_no_command_runs_code_that_it_does_not_name(own, monkeypatch):
    monkeypatch.chdir(own.folder)
    monkeypatch.setenv("COLUMNS", "120")
    before = times_run(own)
    assert "own_module.py:build" not in NETWORKS
    for command in (
        "status",
        "results runs",
        "results show latest",
        "results ablations latest",
        "config",
        "results diff",
    ):
        done = CliRunner().invoke(app, command.split())
        if command != "results diff":
            assert done.exit_code == 0, done.output
    assert LKG.name in CliRunner().invoke(app, ["status"]).output
    (found,) = json.loads(CliRunner().invoke(app, ["status", "--json"]).output)["checkpoints"]
    assert (found["network"], found["problem"]) == ("own_module.py:build", None)
    for command in ("resume", "probe", "resume --yes"):
        refused = CliRunner().invoke(app, command.split())
        told = f"{refused.exception} {refused.output}"
        assert "code of yours, which runs only where the command line names it" in " ".join(told.split()), command
        assert "--network PATH/own_module.py:build" in " ".join(told.split()), command
    assert times_run(own) == before


def test_a_killed_run_ends_with_the_bits_of_one_that_was_not_and_loads_into_the_users_own_class(own, tmp_path):
    line = refusal(own.run("resume", "--network", f"{EXAMPLE}:load", plugin=None))
    assert "was trained with network own_module.py:build, and own_module.py:load was asked for" in line
    own("resume", "--network", "own_module.py:build", "--quiet", plugin=None)
    undisturbed = Program(tmp_path)
    undisturbed(
        "train", "--network", f"{EXAMPLE}:build", *OPTIONS, "--meta-loops", "3", "--with", "dropout", plugin=None
    )
    resumed, whole = load_file(own.folder / LKG), load_file(tmp_path / LKG)
    assert resumed.keys() == whole.keys()
    assert all(torch.equal(resumed[name], whole[name]) for name in whole)

    module = load("own_module").build("4", (1, 28, 28), 10)
    module.load_state_dict(resumed)
    assert not torch.equal(module[2].norm1.running_mean, torch.zeros(4))
    changed = own.folder / "own_module.py"
    changed.write_text(changed.read_text() + "\n# another version\n")
    again = ("--network", f"{changed.resolve()}:build", "--meta-loops", "1")
    told = own.run("resume", *again, plugin=None).stderr
    assert "own_module.py:build sha256:" in told
    assert "the run may not be bit-identical" in told


def test_the_weights_of_a_checkpoint_with_an_optimiser_in_it_load_too(own, tmp_path):
    psa = Program(tmp_path)
    named = ("--network", f"{EXAMPLE}:build")
    psa("train", *named, *OPTIONS, "--meta-loops", "2", "--optimizer-state", "keep", "--quiet", plugin=None)
    assert any(name.startswith("optimizer.") for name in load_file(tmp_path / LKG))
    module = load("own_module").load(tmp_path / LKG, "4", (1, 28, 28), 10)
    assert torch.equal(module[0].weight, load_file(tmp_path / LKG)["0.weight"])


def test_a_study_of_it_is_trained_by_workers_and_goes_on_only_where_it_is_named_again(own, monkeypatch):
    (own.folder / "mine.toml").write_text(
        'network = "own_module.py:build"\ngrid = ["4"]\nvariants = ["hidden"]\n'
        'dataset = "mnist5k"\ntrials = 1\nmeta_loops = 1\nlr = 1e-2\n'
    )
    own("study", "run", "mine.toml", "--workers", "1", "--quiet", plugin=None)
    monkeypatch.chdir(own.folder)
    monkeypatch.setenv("COLUMNS", "120")
    refused = CliRunner().invoke(app, ["study", "run", "mine", "--quiet"])
    assert "--network PATH/own_module.py:build" in str(refused.exception)
    named = ("--network", "own_module.py:build")
    changed = own.folder / "own_module.py"
    first = hashlib.sha256(changed.read_bytes()).hexdigest()
    changed.write_text(changed.read_text() + "\n# a third version\n")
    second = hashlib.sha256(changed.read_bytes()).hexdigest()
    told = own.run("study", "run", "mine", *named, "--trials", "2", "--workers", "1", plugin=None)
    notice = f"own_module.py:build: sha256:{first} before, sha256:{second} now; new trials may be of another network"
    assert notice in told.stdout + told.stderr
    before = times_run(own)
    shown = {
        command: CliRunner().invoke(app, command.split())
        for command in (
            "study status mine",
            "study status mine --json",
            "study show mine",
            "study show mine 4 hidden 2",
        )
    }
    assert [done.exit_code for done in shown.values()] == [0, 0, 0, 0], shown
    assert "2 of 2 trials complete" in shown["study status mine"].output
    status = json.loads(shown["study status mine --json"].stdout)
    assert [one["versions"]["own_module.py:build"] for one in status["sessions"]] == [
        f"sha256:{first}",
        f"sha256:{second}",
    ]
    assert 'network = "own_module.py:build"' in shown["study show mine"].output
    assert "--arch 4 --mode hidden --meta-loops 1 --network own_module.py:build" in list(shown.values())[-1].stdout
    assert "own_module.py:build" not in NETWORKS
    (listed,) = (
        line for line in CliRunner().invoke(app, ["study", "list"]).output.splitlines() if line.startswith("mine ")
    )
    assert listed.split()[-4:] == ["1", "2", "2", "0"]
    assert times_run(own) == before
