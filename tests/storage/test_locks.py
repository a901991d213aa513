import os
import subprocess
import sys
import textwrap

import pytest

from psa_tui.errors import CheckpointError
from psa_tui.storage.locks import holder, lock_path, locked


@pytest.fixture
def other_process(tmp_path):
    """A real process that holds the lock until its standard input closes."""
    script = textwrap.dedent(f"""
        import pathlib, sys
        from psa_tui.storage.locks import locked
        with locked(pathlib.Path({str(tmp_path / "lkg")!r})):
            print("held", flush=True)
            sys.stdin.read()
    """)
    process = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_second_holder_is_refused_and_told_the_process_id(tmp_path, other_process):
    with (
        pytest.raises(CheckpointError, match=f"is being trained by process {other_process.pid};"),
        locked(tmp_path / "lkg"),
    ):
        pass
    assert holder(tmp_path / "lkg") == str(other_process.pid)


def test_a_killed_holder_leaves_no_obstacle(tmp_path, other_process):
    other_process.kill()
    other_process.wait()
    assert lock_path(tmp_path / "lkg").exists()
    assert holder(tmp_path / "lkg") is None
    with locked(tmp_path / "lkg"):
        pass


def test_asking_for_the_holder_makes_no_file(tmp_path):
    assert holder(tmp_path / "lkg") is None
    assert list(tmp_path.iterdir()) == []


def test_a_lock_file_that_is_a_link_is_refused_and_its_target_untouched(tmp_path):
    target = tmp_path / "precious"
    target.write_text("content")
    lock_path(tmp_path / "lkg").symlink_to(target)
    with pytest.raises(CheckpointError), locked(tmp_path / "lkg"):
        pass
    assert target.read_text() == "content"


def test_a_lock_that_cannot_be_made_names_the_option_that_chooses_another_folder(tmp_path):
    lock_path(tmp_path / "study").mkdir()
    with (
        pytest.raises(CheckpointError, match="choose another --results-dir"),
        locked(tmp_path / "study", "--results-dir"),
    ):
        pass


def test_a_file_system_that_fails_to_lock_holds_nobody_off(tmp_path, monkeypatch):
    lock_path(tmp_path / "lkg").touch()
    monkeypatch.setattr("fcntl.flock", lambda *_: os.read(-1, 1))
    assert holder(tmp_path / "lkg") is None
    with pytest.raises(CheckpointError, match=r"its file system cannot lock files"), locked(tmp_path / "lkg"):
        pass
