"""A run goes on with other settings than it had only after a yes, where somebody can give one."""

import sys
from pathlib import Path

import pytest

from psa_tui.runs.checkpoint_files import DEFAULT_NAME
from psa_tui.storage.checkpoint import read_checkpoint

pytestmark = pytest.mark.slow

PSA = [sys.executable, "-m", "psa_tui"]
LKG = Path("models") / DEFAULT_NAME
TINY = ("train", "--dataset", "mnist5k", "--arch", "[1*8]", "--lr", "1e-2", "--seed", "3", "--threads", "1")
OTHER = ("train", "--lr", "1e-3", "--mode", "full", "--meta-loops", "1")
QUESTION = r"this run trained with lr 0\.01, mode none; go on with lr 0\.001, mode full\? \[y/N\]"


@pytest.fixture
def begun(psa):
    """A run of two meta-loops."""
    assert psa(*TINY, "--meta-loops", 2).returncode == 0
    return LKG.read_bytes()


def record():
    return read_checkpoint(LKG).record


def test_in_a_terminal_other_settings_are_asked_about_before_anything_is_loaded_or_drawn(begun, terminal):
    # Not forked from a process that has loaded everything.
    program = terminal([sys.executable, "-X", "utf8", "-m", "psa_tui", *OTHER], size=(120, 24))
    program.wait_for_text(QUESTION)
    assert f"{LKG}: meta-loop 2 of 2; --name NAME trains a run of its own" in program.text
    assert "libtorch" not in Path(f"/proc/{program.process.pid}/maps").read_text()
    assert b"\x1b" not in program.raw
    program.press("\r")
    assert program.wait_for_end() == 1
    assert "nothing was trained; --name NAME trains a run of its own" in program.text
    assert LKG.read_bytes() == begun


def test_after_a_yes_and_with_the_option_for_it_the_run_goes_on(begun, terminal):
    program = terminal([*PSA, *OTHER, "--plain"], size=(120, 24))
    program.wait_for_text(QUESTION)
    program.press("y\r")
    assert program.wait_for_end() == 0
    assert (record().mode, record().hyperparameters.learning_rate) == ("full", 1e-3)
    again = terminal([*PSA, "train", "--batch-size", "64", "--meta-loops", "1", "--plain", "--yes"], size=(120, 24))
    assert again.wait_for_end() == 0
    assert b"[y/N]" not in again.raw
    assert b"warning: batch size: 256 before, 64 from meta-loop 4 on" in again.raw


def test_what_stays_as_it_was_is_not_asked_about_and_a_resume_asks_about_what_it_would_change(begun, terminal):
    same = terminal([*PSA, "train", "--lr", "0.010", "--meta-loops", "1", "--plain"])
    assert (same.wait_for_end(), b"[y/N]" in same.raw) == (0, False)
    resumed = terminal([*PSA, "resume", "--threads", "2", "--meta-loops", "1"], size=(120, 24), PSA_LR="1")
    resumed.wait_for_text(r"this run trained with threads 1; go on with threads 2\? \[y/N\]")
    resumed.press("n\r")
    assert resumed.wait_for_end() == 1
    assert record().threads == 1


def test_another_network_is_refused_at_once_and_not_asked_about(begun, terminal):
    other = terminal([*PSA, "train", "--arch", "[1*9]", "--lr", "1e-3"], size=(200, 24))
    assert (other.wait_for_end(), b"[y/N]" in other.raw) == (2, False)
    assert "was trained with architecture [1*8], and [1*9] was asked for" in other.text
    assert LKG.read_bytes() == begun


def test_output_for_programs_is_never_held_up_by_a_question(begun, terminal):
    told = terminal([*PSA, *OTHER, "--json"])
    assert (told.wait_for_end(), b"[y/N]" in told.raw) == (0, False)
    assert b"psa: warning: lr: 0.01 before, 0.001 from meta-loop 3 on" in told.raw
