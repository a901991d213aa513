"""The real program in a real pseudo-terminal: what arrives there, and what is left behind."""

import re
import sys
import termios
import time

import psutil
import pytest

from psa_tui.runs.checkpoint_files import DEFAULT_NAME
from psa_tui.storage.checkpoint import read_checkpoint
from psa_tui.storage.run_store import read_runs
from psa_tui.views.live.app import pause_after
from tests.terminal import ENTER, FRAME, HIDE, LEAVE, SHOW, eventually, is_alive, suspend

pytestmark = pytest.mark.slow

MANY = 100_000
SMALL = ("--arch", "[2*8]")
SLOW = ("--arch", "[3*600]")
"""Loops that last long enough to see what is asked for during one."""
DOWN = "\x1b[B"


def words(*arguments):
    """The command line of a run of many small loops; later arguments win over earlier ones."""
    return [
        *(sys.executable, "-m", "psa_tui", "train", "--dataset", "mnist5k", "--mode", "hidden", "--lr", "1e-2"),
        *("--seed", "3", "--threads", "1", "--meta-loops", str(MANY), *SMALL, *map(str, arguments)),
    ]


def after(statement):
    """The command line of ``words``, in a process that first did ``statement``, as a shell does before an exec."""
    code = f"import resource, signal; {statement}; from psa_tui.cli import main; main()"
    return [sys.executable, "-c", code, *words()[3:]]


def record(folder):
    return read_checkpoint(folder / "models" / DEFAULT_NAME).record


def the_run(folder):
    with read_runs(folder / "results") as history:
        (row,) = history.latest(10)
        return row, history.loops(row.run)


def test_the_dashboard_appears_follows_every_resize_and_obeys_its_own_keys(terminal):
    tty = terminal(words())
    tty.wait_for_loop(4)
    tty.wait_for_text("^space pause")
    for title_or_progress in (b"\x1b[22;2t", b"\x1b]2;psa [2*8] 0 % LKG ", b"\x1b]9;4;1;0\x07"):
        assert title_or_progress in tty.raw
    assert tty.text.startswith("PSA [2*8]  mode hidden  mnist5k  run ")
    for part in ("LKG ", "validation accuracy", "ablations and verdicts", "network", "space pause", "majority"):
        tty.wait_for_text(part)

    tty.resize(130, 40)
    tty.wait_for_text("─ what helps, what harms ─")
    tty.read(0.6)
    assert all(line[0] in "╭│╰" and line[-1] in "╮│╯" for line in tty.screen.display[:-1])
    assert tty.screen.display[-1].startswith("space pause")

    tty.resize(60, 15)
    tty.wait_for_text(r"^LKG .*\n── validation accuracy")
    tty.read(0.6)
    lines = [line.strip() for line in tty.screen.display]
    assert lines[1].startswith("meta-loop")
    assert not [line for line in lines if re.search("[╭╮╰╯]", line)]
    assert lines[4].startswith("▲ promoted")
    assert lines[-1].startswith("space pause")

    tty.resize(80, 24)
    tty.wait_for_text("─ ablations and verdicts")
    tty.press("?")
    tty.wait_for_text("choose the mode of the next loops")
    tty.wait_for_text("any other key leaves")
    tty.press("?")
    tty.wait_for(lambda: "any other key leaves" not in tty.text, "the run's screen again")
    tty.wait_for_text("^space pause")
    tty.press(DOWN * 3)
    tty.wait_for_text(r"\(\d+ scrolled\)")
    tty.press("0")
    tty.wait_for_text("newest first ─")
    tty.press("l")
    tty.wait_for_text(r"l log \(debug\)|log debug: ")
    tty.press("l")
    tty.wait_for_text(r"l log \(warning\)")

    before, begun = tty.raw.count(FRAME), time.monotonic()
    tty.read(3.0)
    # Twice a second what is new, once the clock; a slow machine draws seldomer, so that drawing takes no more of it.
    eventually(lambda: tty.read(0.2) and tty.raw.count(FRAME) - before >= 2)
    assert tty.raw.count(FRAME) - before <= 3 * (time.monotonic() - begun) + 2

    tty.press("q")
    assert tty.wait_for_end() == 130
    tty.assert_restored()
    assert tty.raw.rindex(b"\x1b[23;2t") > tty.raw.rindex(b"\x1b]2;")
    assert tty.raw.rindex(b"\x1b]9;4;0;\x07") > tty.raw.rindex(b"\x1b]9;4;1;")
    assert tty.left_behind().splitlines()[0].startswith("▲ promoted"), "the last chart stays"
    stopped = rf"^stopped by the key q at meta-loop \d+ of {MANY}; go on with: psa resume$"
    assert re.search(stopped, tty.left_behind(), re.MULTILINE)


def cpu_s(processes):
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def test_space_stops_all_work_until_space_is_pressed_again(terminal):
    tty = terminal(words())
    tty.wait_for_loop()
    processes = [tty.trainer, tty.drawing()]
    tty.press(" ")
    tty.wait_for_text("PAUSED: space goes on")
    # A frame that was due is drawn yet.
    tty.read(1.5)
    loop, used, sent = tty.loop, cpu_s(processes), len(tty.raw)
    begun = time.monotonic()
    tty.read(2.0)
    assert cpu_s(processes) - used < 0.05 * (time.monotonic() - begun)
    assert (tty.loop, len(tty.raw)) == (loop, sent)

    # A terminal that was smaller for a moment has lost what was there, though its size is the old one again.
    shown = tty.screen.display[2:]
    drawing = tty.drawing()
    suspend(drawing)
    tty.resize(60, 24)
    tty.resize(80, 24)
    assert tty.screen.display[2:] != shown
    drawing.resume()
    tty.wait_for(lambda: tty.screen.display[2:] == shown, "the whole screen again")

    tty.press("m")
    tty.wait_for_text("Mode from the next loop on")
    tty.press(DOWN + "\r")
    tty.wait_for_text("PAUSED; mode output from the next loop on")
    tty.press(" ")
    tty.wait_for_loop(loop + 3)
    assert "PAUSED" not in tty.text
    assert "mode output" in tty.text


@pytest.mark.parametrize("cost_s", [0.001, 0.01, 0.6, 5.0])
def test_no_frame_however_costly_makes_the_next_one_wait_longer_than_a_second(cost_s):
    assert pause_after(cost_s) == pytest.approx({0.001: 0.5, 0.01: 0.5}.get(cost_s, 1.0))


def test_m_and_s_are_obeyed_when_the_loop_ends(terminal, tmp_path):
    tty = terminal(words(*SLOW))
    tty.wait_for_loop(1)
    tty.press("m")
    tty.wait_for_text("Mode from the next loop on")
    tty.press(DOWN + "\r")
    tty.wait_for_text(r"\APSA .* mode output ")
    tty.press(" s")
    tty.wait_for_text("^ PAUSED; stopping after this loop ")
    tty.press("s")
    tty.wait_for_text("^ PAUSED: space goes on ")
    loop = tty.loop
    tty.press(" ")
    tty.wait_for_loop(loop + 2)
    # The loop, and with it the run, may end before a screen says that it will.
    tty.press("s")
    assert tty.wait_for_end() == 130
    tty.assert_restored()
    assert "stopped by the key s at meta-loop" in tty.left_behind()
    after = record(tmp_path)
    (first, mode), (changed, next_mode) = after.mode_history
    assert (first, mode, next_mode) == (1, "hidden", "output")
    row, loops = the_run(tmp_path)
    assert row.state == "stopped"
    assert [loop.mode for loop in loops] == ["hidden"] * (changed - 1) + ["output"] * (len(loops) - changed + 1)
    assert len(loops) == after.progress.meta_loop >= changed


def test_ctrl_c_restores_the_terminal_and_leaves_the_result_on_it(terminal, tmp_path):
    tty = terminal(words())
    tty.wait_for_loop()
    tty.press("\x03")
    assert tty.wait_for_end() == 130
    tty.assert_restored()
    lines = tty.left_lines()
    done = record(tmp_path).progress.meta_loop
    assert lines[0].startswith("run ")
    assert lines[-3].startswith(f"loop {done:>6}/{MANY} ")
    assert lines[-2] == f"stopped by Ctrl-C at meta-loop {done} of {MANY}; go on with: psa resume"
    assert lines[-1].startswith("bounty ")


@pytest.mark.parametrize("after_s", [0.1, 0.5])
def test_ctrl_c_while_everything_loads_leaves_no_traceback_of_any_process(terminal, after_s):
    tty = terminal(after("pass"))
    eventually(lambda: len(tty.trainer.children()) == 1)
    tty.read(after_s)
    tty.press("\x03")
    assert tty.wait_for_end() == 130
    assert b"Traceback" not in tty.raw
    assert termios.tcgetattr(tty.fd) == tty.modes


def test_a_crash_shows_its_error_on_the_restored_screen(terminal):
    # No file may grow beyond 200 kB: the history does, after a few hundred loops at most.
    tty = terminal(after("resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))"))
    assert tty.wait_for_end() == 1
    tty.assert_restored()
    lines = tty.left_behind().splitlines()
    assert lines[-1].startswith("psa: error: ")
    assert "Traceback" not in tty.left_behind()


def in_a_shell(terminal, folder):
    """A terminal with an interactive shell that runs the dashboard, and the run's process."""
    tty = terminal(["/bin/bash", "--norc", "--noprofile", "-i"], PS1="READY> ")
    tty.wait_for_text("^READY> ")
    (folder / "run").write_text("exec " + " ".join(f"'{word}'" for word in words()))
    tty.press("bash run\n")
    tty.wait_for_loop()
    (run,) = tty.trainer.children()
    return tty, run


def test_when_the_run_is_killed_the_terminal_is_restored_all_the_same(terminal):
    tty = terminal(words())
    tty.wait_for_loop()
    drawing = tty.drawing()
    tty.trainer.kill()
    eventually(lambda: not is_alive(drawing))
    tty.wait_for_bytes(LEAVE)
    tty.assert_restored()


def test_when_the_drawing_is_killed_the_run_goes_on_in_plain_lines(terminal, tmp_path):
    # So many that it is far from its end when the drawing ends.
    tty = terminal(words("--meta-loops", 1000))
    tty.wait_for_loop()
    drawing = tty.drawing()
    suspend(tty.trainer)
    committed = record(tmp_path).progress.meta_loop
    drawing.kill()
    eventually(lambda: not is_alive(drawing))
    tty.trainer.resume()
    assert tty.wait_for_end() == 0
    tty.assert_restored()
    lines = tty.left_behind().splitlines()
    assert lines[0] == "psa: warning: the dashboard failed; the run goes on in plain lines"
    assert lines[1].startswith("run ")
    loops = [int(found[1]) for line in lines if (found := re.match(r"loop +(\d+)/1000 ", line))]
    assert loops == list(range(loops[0], 1001))
    # Those that the screen was not sent yet come first, the one that it showed does not come again.
    assert 1 < loops[0] <= committed + 1
    assert sum(line.startswith("finished: 1000 of 1000 meta-loops") for line in lines) == 1
    assert lines[-1].startswith("bounty ")
    assert record(tmp_path).finished


@pytest.mark.campaign
def test_ctrl_z_gives_the_terminal_back_and_only_the_foreground_takes_it_again(terminal, tmp_path):
    tty, run = in_a_shell(terminal, tmp_path)

    def stop():
        before = len(tty.raw)
        tty.press("\x1a")
        tty.wait_for(lambda: re.search(rb"Stopped.*READY> $", tty.raw[before:], re.S), "the prompt")
        shown = tty.raw[before:]
        assert shown.count(LEAVE) == 1
        assert shown.index(LEAVE) < shown.index(b"Stopped")
        assert shown.rindex(SHOW) < shown.index(b"Stopped")
        assert ENTER not in shown[shown.index(LEAVE) :]
        assert run.status() == psutil.STATUS_STOPPED

    def go_on():
        before = len(tty.raw)
        tty.press("fg\n")
        tty.wait_for_bytes(ENTER, before)
        tty.wait_for_bytes(HIDE, before)
        tty.wait_for_loop((tty.loop or 0) + 1)

    stop()
    go_on()
    stop()

    before, done = len(tty.raw), record(tmp_path).progress.meta_loop
    tty.press("bg\n")
    tty.wait_for_bytes(b"READY> ", before)
    eventually(lambda: record(tmp_path).progress.meta_loop > done + 5)
    tty.press("echo still $((6 * 7))\n")
    tty.wait_for_bytes(b"still 42", before)
    tty.read(2.5)
    in_background = tty.raw[before:].replace(b"\x1b[?2004h", b"").replace(b"\x1b[?2004l", b"")
    assert b"\x1b" not in in_background
    assert b"meta-loop" not in in_background

    go_on()
    tty.press("q")
    before = len(tty.raw)
    tty.wait_for_bytes(b"stopped by the key q", before)
    tty.wait_for_bytes(b"READY> ", before)
    assert tty.raw.rindex(LEAVE) > tty.raw.rindex(ENTER)


def test_a_closed_terminal_stops_the_run_with_everything_committed(terminal, tmp_path):
    tty = terminal(words())
    tty.wait_for_loop()
    processes = [tty.trainer, tty.drawing()]
    tty.hang_up()
    eventually(lambda: not any(is_alive(process) for process in processes))
    row, loops = the_run(tmp_path)
    assert row.state == "stopped"
    assert row.reason == "HUP"
    assert len(loops) == record(tmp_path).progress.meta_loop >= 2


def test_a_run_that_outlives_its_terminal_wastes_no_time_on_drawing(terminal, tmp_path):
    tty = terminal(after("signal.signal(signal.SIGHUP, signal.SIG_IGN)"))
    tty.wait_for_loop()
    drawing = tty.drawing()
    tty.hang_up()
    done = record(tmp_path).progress.meta_loop
    eventually(lambda: not is_alive(drawing))
    eventually(lambda: record(tmp_path).progress.meta_loop > done)


def test_a_terminal_that_can_do_nothing_gets_plain_lines(terminal):
    tty = terminal(words("--meta-loops", 3), TERM="dumb")
    assert tty.wait_for_end() == 0
    assert b"\x1b" not in tty.raw
    assert len(re.findall(rb"^loop \d/3 ", tty.raw, re.MULTILINE)) == 3


def test_no_color_leaves_shapes_and_weights_only(terminal):
    tty = terminal(words("--ascii"), NO_COLOR="1")
    tty.wait_for_loop(6)
    codes = {code for found in re.findall(rb"\x1b\[([0-9;]*)m", tty.raw) for code in found.split(b";")}
    assert codes <= {b"0", b"1", b"2", b"7", b"39", b"49"}
    assert b"1" in codes
    assert tty.raw.isascii()
    tty.wait_for_text(r"\^ promoted  \. rolled back  = LKG")
