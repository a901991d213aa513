import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from psa_tui.method.progress import Progress
from psa_tui.runs.checkpoint_files import DEFAULT_NAME
from psa_tui.storage.checkpoint import read_checkpoint
from psa_tui.storage.run_store import open_runs, read_runs
from tests import program
from tests.storage.test_run_store import SPLITS

LKG = Path("models") / DEFAULT_NAME
TINY = ("train", "--dataset", "mnist5k", "--arch", "[1*8]", "--lr", "1e-2", "--seed", "3", "--threads", "1")


def states(psa):
    return {row["run"]: row["state"] for row in json.loads(psa("status", "--json").stdout)["runs"]}


def test_nothing_yet_is_said_and_nothing_is_made(psa, tmp_path):
    done = psa("status")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "psa: no checkpoint in models; psa train makes one\npsa: no runs in results\n"
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_no_run_has_is_an_error(psa):
    Path("models/wide").mkdir(parents=True)
    done = psa("status", "--name", "wied")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "psa: error: --name wied: no such run; psa status lists those there are\n"


def test_a_checkpoint_and_its_run_are_listed_with_modes_loops_bounty_and_test_accuracy(psa):
    psa(*TINY, "--mode", "full", "--meta-loops", 2)
    psa("train", "--mode", "output", "--meta-loops", 1)
    record = read_checkpoint(LKG).record
    done = psa("status")
    assert re.search(rf"{DEFAULT_NAME} \[1\*8\] 6,370 +full output@3 3/3 ", done.stdout)
    assert f"{100 * record.progress.bounty:.2f} %" in done.stdout
    assert f"{100 * record.test_accuracy:.2f} %" in done.stdout
    assert f"{record.run} finished [1*8] output 3" in done.stdout
    content = json.loads(psa("status", "--json").stdout)
    (checkpoint,), (run,) = content["checkpoints"], content["runs"]
    assert checkpoint["mode_history"] == [[1, "full"], [3, "output"]]
    assert (run["run"], run["meta_loop"], run["bounty"]) == (record.run, 3, record.progress.bounty)


def test_a_run_is_running_while_it_runs_interrupted_when_killed_and_finished_after_its_resume(psa):
    process = program.Popen(
        [sys.executable, "-m", "psa_tui", *TINY, "--meta-loops", "60", "--json"], stdout=subprocess.PIPE, text=True
    )
    for line in process.stdout:
        if json.loads(line)["event"] == "meta_loop_finished":
            break
    # It must not come to its end meanwhile.
    process.send_signal(signal.SIGSTOP)
    assert list(states(psa).values()) == ["running"]
    process.kill()
    process.communicate()
    assert list(states(psa).values()) == ["interrupted"]
    assert psa("resume").returncode == 0
    assert list(states(psa).values()) == ["finished"]


def test_a_killed_run_stays_interrupted_when_another_run_trains_in_its_place(psa):
    psa(*TINY, "--meta-loops", 1)
    with read_runs(Path("results")) as history:
        (row,) = history.latest(1)
    process = program.Popen(
        [sys.executable, "-m", "psa_tui", "resume", "--meta-loops", "60", "--json"], stdout=subprocess.PIPE, text=True
    )
    process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    psa("clean")
    other = program.Popen(
        [sys.executable, "-m", "psa_tui", *TINY, "--meta-loops", "600", "--json"], stdout=subprocess.PIPE, text=True
    )
    other.stdout.readline()
    found = states(psa)
    other.terminate()
    other.communicate()
    assert found.pop(row.run) == "interrupted"
    assert list(found.values()) == ["running"]


def test_a_damaged_checkpoint_is_a_warning_beside_the_good_ones(psa):
    psa(*TINY, "--meta-loops", 1)
    Path("models/broken.safetensors").write_bytes(b"nonsense\x1b[31m")
    done = psa("status")
    assert done.returncode == 0
    assert DEFAULT_NAME in done.stdout
    assert done.stderr.startswith("psa: warning: models/broken.safetensors: damaged or not a checkpoint")
    assert "\x1b" not in done.stderr + done.stdout


def test_a_copied_models_folder_goes_on_as_a_run_of_its_own(psa):
    psa(*TINY, "--meta-loops", 2)
    subprocess.run(["cp", "-r", "models", "copy"], check=True)
    psa("resume", "--meta-loops", 2)
    psa("train", "--model-dir", "copy", "--mode", "full", "--meta-loops", 1)
    first, second = read_checkpoint(LKG).record, read_checkpoint(Path("copy") / DEFAULT_NAME).record
    assert first.run != second.run
    with read_runs(Path("results")) as history:
        assert [loop.mode for loop in history.loops(first.run)] == ["none"] * 4
        assert [loop.mode for loop in history.loops(second.run)] == ["none", "none", "full"]


def test_a_history_that_was_removed_is_missed_loudly_and_the_run_goes_on(psa):
    psa(*TINY, "--meta-loops", 2)
    for file in Path("results").iterdir():
        file.unlink()
    done = psa("resume", "--meta-loops", 1)
    assert done.returncode == 0
    assert done.stderr == "psa: warning: the history in results lacks 2 earlier meta-loops of this run\n"


def test_two_runs_share_one_history(psa):
    processes = [
        program.Popen(
            [sys.executable, "-m", "psa_tui", *TINY, "--meta-loops", "5", "--model-dir", folder, "--quiet"],
            stdout=subprocess.DEVNULL,
        )
        for folder in ("one", "two")
    ]
    assert [process.wait(timeout=60) for process in processes] == [0, 0]
    with read_runs(Path("results")) as history:
        assert [len(history.loops(row.run)) for row in history.latest(5)] == [5, 5]


def test_a_first_generation_without_its_successor_is_not_buried_by_a_new_run(psa):
    psa(*TINY, "--meta-loops", 2)
    LKG.unlink()
    done = psa("train")
    assert done.returncode == 1
    assert "mv models/mnist_lkg.previous.safetensors models/mnist_lkg.safetensors" in done.stderr
    assert not LKG.exists()


def test_a_temporary_file_that_is_a_link_is_replaced_and_its_target_untouched(psa, tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "precious").write_text("content")
    Path(f"models/.{DEFAULT_NAME}.tmp").symlink_to("../precious")
    assert psa(*TINY, "--meta-loops", 1).returncode == 0
    assert (tmp_path / "precious").read_text() == "content"


@pytest.mark.parametrize("command", [("status",), ("train", "--plain"), ("resume",)])
def test_hostile_folder_names_are_shown_on_one_line_without_escapes(psa, command):
    done = psa(*command, "--model-dir", "x\n\x1b[31mpsa: finished" + "y" * 300)
    assert done.returncode in (0, 1)
    assert "\x1b" not in done.stdout + done.stderr
    assert done.stderr.count("\n") <= 2
    assert "internal error" not in done.stderr


def test_config_shows_every_setting_and_its_origin(psa, tmp_path):
    (tmp_path / "psa.toml").write_text("lr = 1e-3\n")
    (tmp_path / ".env").write_text("PSA_DROPOUT=0.2\n")
    done = psa("config", "--json", env={**os.environ, "PSA_MODEL_DIR": "else\x1b[31mwhere"})
    rows = {row["setting"]: (row["value"], row["origin"]) for row in json.loads(done.stdout)}
    assert rows["lr"] == ("0.001", "lr in psa.toml")
    assert rows["dropout"] == ("0.2", "PSA_DROPOUT in .env")
    assert rows["model_dir"][1] == "PSA_MODEL_DIR"
    assert rows["batch_size"] == ("256", "default")
    assert rows["seed"] == ("", "not set")
    plain = psa("config", env={**os.environ, "PSA_MODEL_DIR": "else\x1b[31mwhere"})
    assert "\x1b" not in plain.stdout
    assert re.search(r"lr +0\.001 +lr in psa\.toml +PSA_LR", plain.stdout)


def test_a_folder_that_cannot_be_looked_into_is_not_called_empty(psa, tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    done = psa("status", "--model-dir", "loop", "--results-dir", "loop")
    assert (done.returncode, done.stdout) == (1, "")
    first, second = done.stderr.splitlines()
    assert first.startswith("psa: warning: loop: cannot be read (Too many levels of symbolic links); see to ")
    assert second.startswith("psa: error: loop: cannot be read (Too many levels of symbolic links); see to ")
    for command in ("runs", "show latest", "follow latest"):
        assert "cannot be read" in psa("results", *command.split(), "--results-dir", "loop").stderr


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_a_terminal_of_any_width_has_runs_in_one_piece(psa, tmp_path, checkpoint, terminal, width):
    auto = replace(checkpoint.record, seed=4_123_456_789, mode_history=((1, "shuffled-labels"),))
    record = replace(auto, progress=Progress(validation_count=500))
    with open_runs(tmp_path / "results") as runs:
        runs.begin_session(record, tmp_path / "models" / DEFAULT_NAME, SPLITS)
    tty = terminal((sys.executable, "-m", "psa_tui", "status"), size=(width, 24))
    assert tty.wait_for_end() == 0
    head, row = (line.split() for line in tty.text.splitlines() if re.match(rf"run |{record.run} ", line))
    assert row[0] == record.run
    assert ("seed" in head) == (str(record.seed) in row) == (width >= 120)
    assert "shape" in head
    assert "bounty" in head
    listed = terminal((sys.executable, "-m", "psa_tui", "results", "runs"), size=(width, 24))
    assert listed.wait_for_end() == 0
    assert re.search(rf"^{record.run} ", listed.text, re.MULTILINE)
    assert ("data" in listed.text.split()) == (width >= 120)
    shown = terminal((sys.executable, "-m", "psa_tui", "results", "show", record.run), size=(width, 34))
    assert shown.wait_for_end() == 0
    assert re.search(r"^session 1 .*\n {14}\S", shown.text, re.MULTILINE), "what goes on below stands under its like"
