"""The workbench in a real terminal: it begins, gives the terminal to a command, takes it back, and restores it."""

import subprocess
import sys
from functools import partialmethod

import pytest
from textual.app import App

from psa_tui.settings import load_settings
from psa_tui.views.workbench.app import Workbench, run_workbench
from psa_tui.views.workbench.entries import Results
from tests.terminal import ENTER, LEAVE
from tests.views.workbench.conftest import add_study

PSA = [sys.executable, "-m", "psa_tui"]


def test_psa_alone_opens_the_workbench_and_q_restores_the_terminal(terminal, folder):
    tty = terminal(PSA)
    tty.wait_for_text("4 runs  1 study")
    tty.wait_for_text("psa study status plane")
    tty.resize(120, 30)
    tty.wait_for_text("study      plane")
    tty.press("q")
    assert tty.wait_for_end() == 0
    tty.assert_restored()


def test_a_program_that_is_ended_restores_the_terminal(terminal, folder):
    tty = terminal(PSA)
    tty.wait_for_text("4 runs  1 study")
    tty.trainer.terminate()
    assert tty.wait_for_end() == 143
    tty.assert_restored()


def test_a_defect_is_an_error_of_the_program_and_shows_no_values(folder, monkeypatch, capfd):
    def fail(self):
        secret = "of nobody's concern"
        raise RuntimeError(f"a defect in {len(secret)} places")

    monkeypatch.setattr(Results, "read", fail)
    monkeypatch.setattr(Workbench, "run", partialmethod(App.run, headless=True))
    with pytest.raises(RuntimeError, match="a defect in"):
        run_workbench(load_settings({}))
    assert "concern" not in "".join(capfd.readouterr())


def test_a_command_has_the_terminal_until_enter_and_then_the_workbench_has_it_again(terminal, folder):
    add_study(folder, "theirs", modes=("none", "their-rule"))
    tty = terminal(PSA)
    tty.wait_for_text("4 runs  2 studies")
    tty.wait_for_text("psa study status theirs")
    tty.press("r")
    tty.wait_for_text("has the mode 'their-rule', which is not installed here")
    tty.wait_for_text("Enter goes back to the workbench")
    assert "$ psa study run theirs" in tty.text
    assert tty.raw.rindex(LEAVE) > tty.raw.rindex(ENTER)
    tty.press("\r")
    tty.wait_for(lambda: tty.raw.rindex(ENTER) > tty.raw.rindex(LEAVE), "the workbench")
    tty.press("q")
    assert tty.wait_for_end() == 0
    tty.assert_restored()


def test_without_a_terminal_that_can_be_drawn_on_the_usage_is_printed(psa, terminal):
    done = psa()
    assert done.returncode == 2
    assert done.stderr.startswith(" Usage: ")
    tty = terminal(PSA, TERM="dumb")
    tty.wait_for_bytes(b"Usage: ")
    assert tty.wait_for_end() == 2


@pytest.mark.parametrize(
    ("imported", "without"),
    [
        (["psa_tui.cli.app"], {"textual", "torch", "numpy"}),
        (["psa_tui.views.workbench.app"], {"torch", "numpy"}),
        # A run: what starts the process that draws, and that process.
        (["psa_tui.cli.run_session", "psa_tui.runs.runner", "psa_tui.views.dashboard"], {"textual", "torch", "numpy"}),
        (["psa_tui.views.terminal"], {"torch", "numpy", "uniplot"}),
    ],
)
def test_help_and_first_frames_wait_for_no_library_that_they_do_not_need(imported, without):
    code = f"import sys, {', '.join(imported)}; sys.exit(' '.join({without!r} & set(sys.modules)) or 0)"
    # Started anew: a process of tests.program has loaded everything.
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
