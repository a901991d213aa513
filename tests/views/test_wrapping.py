import io
import os
import pty
import termios

import pytest

from psa_tui.views.text import format_loop
from psa_tui.views.wrapping import terminal_width, write_lines, write_question
from tests.views.test_text import FOUR

STOPPED = "stopped by the key q at meta-loop 278 of 3156; go on with: psa resume"
END = b"\0"


@pytest.fixture
def on_terminal():
    """What is written on a terminal of so many columns, by lines."""
    ours, theirs = pty.openpty()

    def write(width, *lines, question=""):
        termios.tcsetwinsize(theirs, (24, width))
        with open(os.dup(theirs), "w") as stream:
            assert terminal_width(stream) == width
            write_lines(stream, lines)
            if question:
                write_question(stream, question)
        os.write(theirs, END)
        found = b""
        while not found.endswith(END):  # the system hands over what was written piece by piece
            found += os.read(ours, 1 << 16)
        return found.removesuffix(END).decode().removesuffix("\r\n").split("\r\n")

    yield write
    os.close(ours)
    os.close(theirs)


def test_a_line_is_broken_between_words_and_its_rest_is_indented(on_terminal):
    assert on_terminal(60, STOPPED, "done") == [
        "stopped by the key q at meta-loop 278 of 3156; go on with:",
        "  psa resume",
        "done",
    ]
    assert on_terminal(80, STOPPED) == [STOPPED]
    assert on_terminal(20, "a/path/that/is/longer-than-the-terminal.txt") == [
        "a/path/that/is/longer-than-the-terminal.txt"
    ], "what would be copied stays whole"


def test_a_question_is_broken_between_words_and_has_room_for_its_answer(on_terminal):
    question = "psa: this run trained with lr 0.0001; go on with lr 0.001? [y/N]"
    assert on_terminal(66, question=question) == [f"{question} "]
    assert on_terminal(65, question=question) == [question.removesuffix(" [y/N]"), "  [y/N] "]


def test_what_is_no_terminal_gets_whole_lines():
    stream = io.StringIO()
    write_lines(stream, [STOPPED * 3])
    assert stream.getvalue() == STOPPED * 3 + "\n"


def test_a_loop_has_no_seconds_where_the_terminal_has_no_room_for_them(build):
    ablation = build.units_ablated("[2*8]", 20, (1, 2))
    loop = build.finished_loop(build.run_started().progress, 642, ablation)
    whole = format_loop(loop, 3000, FOUR)
    assert whole.endswith("layer 1 neuron 2  1.00 s")
    assert format_loop(loop, 3000, FOUR, len(whole)) == whole
    assert format_loop(loop, 3000, FOUR, len(whole) - 1) == whole.removesuffix("  1.00 s")
