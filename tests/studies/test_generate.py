import os
import shutil
import subprocess
from dataclasses import replace

import pytest

from psa_tui.errors import ConfigError
from psa_tui.method.variants import FIRST_STUDY, NONE, OUTPUT
from psa_tui.studies.generate import format_commands, format_script, trial_commands, write_script
from psa_tui.studies.grids import parse_grid, parse_network
from psa_tui.studies.seeds import trial_seed
from psa_tui.studies.spec import StudySpec

SPEC = StudySpec(
    name="some",
    networks=(parse_network("2*3"), parse_network("1*4")),
    variants=(NONE, OUTPUT),
    trials=2,
    meta_loops=7,
    seed=3,
    dataset="mnist5k",
    dataset_fingerprint="",
)
SUMMARY = "8 commands: 2 shapes x 2 modes x 2 trials of 7 meta-loops, mnist5k, study seed 3"


def some(tmp_path, **changes):
    return trial_commands(replace(SPEC, **changes), tmp_path / "my models")


def test_the_first_study_is_236_commands_each_with_its_own_folder(tmp_path):
    commands = some(
        tmp_path, networks=parse_grid("first"), variants=FIRST_STUDY, trials=1, meta_loops=100, dataset="mnist"
    )
    assert len(commands) == len({command.model_dir for command in commands}) == 236


def test_a_command_says_all_that_makes_the_trial_what_it_is(tmp_path):
    command = some(tmp_path)[1]
    assert (command.network, command.variant, command.trial) == (parse_network("2*3"), NONE, 2)
    seed = trial_seed(3, parse_network("2*3"), 2)
    assert str(command) == (
        f"psa train --arch '[2*3]' --mode none --meta-loops 7 --seed {seed} --dataset mnist5k "
        f"--model-dir '{tmp_path}/my models/mnist5k-seed3-loops7/2x3-none-2'"
    )


@pytest.mark.parametrize("change", [{"meta_loops": 8}, {"seed": 4}, {"dataset": "mnist"}])
def test_no_folder_is_shared_by_two_studies(tmp_path, change):
    folders = {command.model_dir for command in some(tmp_path)}
    assert folders.isdisjoint(command.model_dir for command in some(tmp_path, **change))


def test_commands_stand_under_a_header_for_each_shape(tmp_path):
    lines = list(format_commands(some(tmp_path)))
    headers = [index for index, line in enumerate(lines) if line.startswith("# ---- ")]
    assert [lines[index] for index in headers] == [
        "# ---- 2*3: 2 hidden layers of 3 neurons, 2,407 parameters ---------------------",
        "# ---- 1*4: 1 hidden layer of 4 neurons, 3,190 parameters ----------------------",
    ]
    assert headers == [1, 7]
    assert all(line.startswith("psa train ") for index in headers for line in lines[index + 1 : index + 5])


def stand_in(folder, body):
    """A program called psa that notes how it was called."""
    program = folder / "bin" / "psa"
    program.parent.mkdir()
    program.write_text(f'#!/usr/bin/env bash\necho "$*" >> "{folder}/calls"\n{body}\n')
    program.chmod(0o755)
    return {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}"}


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "run.sh"
    write_script(path, format_script(SPEC, some(tmp_path)))
    return path


TRAIN = """
while [ $# -gt 0 ]; do if [ "$1" = --model-dir ]; then folder=$2; fi; shift; done
mkdir -p "$folder" && touch "$folder/mnist_lkg.safetensors"
"""


def test_the_script_is_executable_trains_each_trial_once_and_then_only_resumes(tmp_path, script):
    environment = stand_in(tmp_path, TRAIN)
    for _ in range(2):
        done = subprocess.run([script], env=environment, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.splitlines()[-1] == f"complete: {SUMMARY}"
    calls = (tmp_path / "calls").read_text().splitlines()
    folders = [str(command.model_dir) for command in some(tmp_path)]
    assert [call.split()[0] for call in calls] == ["train"] * 8 + ["resume"] * 8
    assert calls[8:] == [f"resume --model-dir {folder}" for folder in folders]
    expected = [f"train --model-dir {c.model_dir} {' '.join(c.options)}" for c in some(tmp_path)]
    assert calls[:8] == expected


def test_the_script_stops_at_the_first_error_with_its_exit_code(tmp_path, script):
    environment = stand_in(tmp_path, f'if [ "$(wc -l < "{tmp_path}/calls")" -eq 3 ]; then exit 3; fi')
    done = subprocess.run([script], env=environment, capture_output=True, text=True)
    assert done.returncode == 3
    assert len((tmp_path / "calls").read_text().splitlines()) == 3
    assert "complete" not in done.stdout


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
def test_shellcheck_finds_nothing_in_the_script(script):
    done = subprocess.run(["shellcheck", script], capture_output=True, text=True)
    assert done.stdout == ""


def test_a_script_replaces_its_predecessor_but_no_other_file(tmp_path, script):
    write_script(script, format_script(replace(SPEC, seed=4), some(tmp_path, seed=4)))
    assert "study seed 4" in script.read_text()
    mine = tmp_path / "mine.sh"
    mine.write_text("echo precious\n")
    with pytest.raises(ConfigError, match=r"mine\.sh: there is a file that psa reproduce did not write"):
        write_script(mine, "anything")
    assert mine.read_text() == "echo precious\n"
