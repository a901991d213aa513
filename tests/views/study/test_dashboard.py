"""The study's screen in a real pseudo-terminal."""

import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = str(Path(__file__).parents[3])
PROGRAM = [sys.executable, "-m", "tests.views.study.session"]


def test_the_screen_follows_the_study_and_q_asks_it_to_stop(terminal):
    tty = terminal(PROGRAM, PYTHONPATH=ROOT)
    tty.wait_for_text(r"\Astudy reproduction  98 shapes")
    tty.wait_for_text(r"worker 1  18\*18")
    tty.press("?")
    tty.wait_for_text("one mark a shape")
    tty.press("?")
    tty.resize(140, 45)
    tty.wait_for_text("0-9: best mean in tens of percent")
    tty.press("q")
    assert tty.wait_for_end() == 130
    tty.assert_restored()
    left = tty.left_behind()
    assert "stopped: 60 of 5,880 trials complete, 0:05 (q)\n" in left
    assert "go on with: psa reproduce run\n" in left


def test_when_the_drawing_dies_the_study_goes_on_in_plain_lines_and_ctrl_c_still_stops_it(terminal):
    tty = terminal(PROGRAM, PYTHONPATH=ROOT)
    tty.wait_for_text(r"worker 1  18\*18")
    tty.drawing().kill()
    tty.wait_for_bytes(b"the study goes on in plain lines")
    tty.press("\x03")
    assert tty.wait_for_end() == 130
    assert b"stopped: 60 of 5,880 trials complete, 0:05 (Ctrl-C)" in tty.raw
    tty.assert_restored()
