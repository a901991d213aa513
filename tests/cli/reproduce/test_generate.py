import os
import subprocess
import sys
from pathlib import Path

import pytest


def test_bare_reproduce_prints_236_commands_by_shape_and_writes_the_script(psa, tmp_path):
    bare = psa("reproduce")
    assert bare.returncode == 0
    lines = bare.stdout.splitlines()
    assert lines[0] == "# 236 commands: 59 shapes x 4 modes x 1 trial of 100 meta-loops, mnist, study seed 0"
    assert sum(line.startswith("psa train ") for line in lines) == 236
    assert sum(line.startswith("# ---- ") for line in lines) == 59
    assert os.access(tmp_path / "run_reproduction.sh", os.X_OK)
    assert psa("reproduce", "generate").stdout == bare.stdout
    assert bare.stderr.startswith("psa: run_reproduction.sh runs all of them")


def test_a_terminal_shows_the_beginning_and_says_how_to_get_the_rest(terminal, tmp_path):
    tty = terminal((sys.executable, "-m", "psa_tui", "reproduce", "generate"), size=(200, 24))
    assert tty.wait_for_end() == 0
    assert tty.text.startswith("# 236 commands: 59 shapes")
    assert tty.text.count("psa train ") == 8
    assert "the beginning of 354 lines; psa reproduce generate > commands.txt has all of them" in tty.text
    assert os.access(tmp_path / "run_reproduction.sh", os.X_OK)


def test_the_published_grid_has_six_modes_and_options_need_no_command(psa, tmp_path):
    done = psa("reproduce", "--grid", "published", "--out", "all.sh")
    assert done.stdout.startswith("# 588 commands: 98 shapes x 6 modes x 1 trial ")
    assert (tmp_path / "all.sh").exists()
    few = psa("reproduce", "--grid", "8*8", "--modes", "output,none", "--trials", "2", "--meta-loops", "5")
    modes = [line.split(" --mode ")[1].split()[0] for line in few.stdout.splitlines() if line.startswith("psa")]
    assert modes == ["none", "none", "output", "output"]


def test_what_is_said_wrong_is_answered_in_one_line_and_exit_code_2(psa, tmp_path):
    for arguments, said in (
        (("--grid", "8*8", "--modes", "none,nois"), "--modes: expected one of none, decay, "),
        (("--grid", "8*8", "--modes", "none,none"), "--modes: 'none' is there twice"),
        (("--grid", "nowhere.txt"), "--grid 'nowhere.txt': cannot be read"),
    ):
        done = psa("reproduce", *arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"psa: error: {said}")
    assert psa("reproduce", "generatt").returncode == 2
    assert not list(tmp_path.iterdir())


@pytest.mark.campaign
def test_the_script_trains_for_real_and_goes_on_after_a_kill(psa, tmp_path):
    arguments = ("--grid", "1*2", "--modes", "none,output", "--meta-loops", "2", "--dataset", "mnist5k")
    printed = psa("reproduce", *arguments).stdout
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}

    def start():
        return subprocess.run(["./run_reproduction.sh"], cwd=tmp_path, env=environment, capture_output=True, text=True)

    first = start()
    assert first.returncode == 0, first.stderr
    assert first.stdout.count("finished: 2 of 2 meta-loops") == 2
    folders = [line.split("--model-dir ")[1] for line in printed.splitlines() if line.startswith("psa train")]
    files = [tmp_path / folder / "mnist_lkg.safetensors" for folder in folders]
    before = [file.stat().st_mtime_ns for file in files]
    files[1].unlink()
    (files[1].parent / "mnist_lkg.previous.safetensors").unlink()
    second = start()
    assert second.returncode == 0, second.stderr
    assert second.stdout.count("finished: 2 of 2 meta-loops") == 1
    assert [file.stat().st_mtime_ns == at for file, at in zip(files, before, strict=True)] == [True, False]
