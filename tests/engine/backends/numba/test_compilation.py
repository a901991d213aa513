import os
import signal
import subprocess
import sys
import time
from shutil import rmtree

import psutil
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.campaign]
SAID = "psa: compiling kernels for networks of this kind, once: about ten seconds\n"
TRAIN = ("train", "--dataset", "mnist5k", "--arch", "[1*8]", "--meta-loops", "1", "--plain")


@pytest.fixture
def command(tmp_path, monkeypatch):
    """The program in an empty folder, for a user with an empty cache."""
    for name in [name for name in os.environ if name.startswith("PSA_")]:
        monkeypatch.delenv(name)
    path = [entry for entry in sys.path if entry]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([os.getcwd(), *path]))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return [sys.executable, "-m", "psa_tui"]


def test_compiling_is_said_once_and_can_be_left(command, tmp_path):
    with subprocess.Popen([*command, *TRAIN], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        assert run.stderr.readline() == SAID
        time.sleep(0.5)
        compilers = psutil.Process(run.pid).children()
        assert compilers
        asked = time.monotonic()
        run.send_signal(signal.SIGINT)
        run.communicate(timeout=60)
        took = time.monotonic() - asked
        assert run.returncode == 130
        assert not any(compiler.is_running() for compiler in compilers)
        # A run that reaches no safe moment is left after three seconds.
        assert took < 6
    # Where compiling is quick, all was done in those three seconds.
    rmtree(tmp_path / "cache")
    study = [*command, "reproduce", "run", "--quick", "--grid", "1*8", "--dataset", "mnist5k", "--workers", "1"]
    first = subprocess.run([*study, "--plain"], capture_output=True, text=True, check=True)
    assert f"worker 1: {SAID.removeprefix('psa: ')}" in first.stdout
    again = subprocess.run([*command, *TRAIN], capture_output=True, text=True, check=True)
    assert again.stderr == ""


def test_programs_that_start_together_compile_once(command, tmp_path):
    runs = []
    for number in range(2):
        folder = tmp_path / str(number)
        folder.mkdir()
        run = subprocess.Popen(
            [*command, *TRAIN], cwd=folder, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        runs.append(run)
    most = 0
    while any(run.poll() is None for run in runs):
        compilers = []
        for run in runs:
            try:
                compilers.append(len(psutil.Process(run.pid).children()))
            except psutil.NoSuchProcess:
                compilers.append(0)
        # One of them compiles in two processes, while the other one waits.
        assert min(compilers) == 0
        most = max(most, *compilers)
        time.sleep(0.05)
    assert most == 2
    for run in runs:
        run.communicate()
        assert run.returncode == 0
