"""A real pseudo-terminal with a program in it: what arrives there, and what is left behind."""

import contextlib
import os
import re
import select
import termios
import time

import psutil
import pyte

from tests.program import Popen

PATIENCE_S = 60.0
DRAWS = "psa_tui.views.terminal"
ENTER, LEAVE = b"\x1b[?1049h", b"\x1b[?1049l"
HIDE, SHOW = b"\x1b[?25l", b"\x1b[?25h"
FRAME = b"\x1b[?2026h"
ASKS_FOR_FRAMES = b"\x1b[?2026$p"
"""The question whether the terminal shows what lies between two marks in one piece; this one does."""


def surroundings(**changes):
    """The environment of a terminal program, without any setting of ours."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PSA_")}
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "CI"):
        ours.pop(name, None)
    return {**ours, "TERM": "xterm-256color", "LANG": "C.UTF-8", "OMP_NUM_THREADS": "1", **changes}


class Terminal:
    """A pseudo-terminal with a program in it, everything that the program sent, and what a user would see."""

    def __init__(self, command, folder, size=(80, 24), **environment):
        width, height = size
        self.fd, terminal = os.openpty()
        termios.tcsetwinsize(terminal, (height, width))
        streams = dict.fromkeys(("stdin", "stdout", "stderr"), terminal)
        self.process = Popen(command, cwd=folder, env=surroundings(**environment), terminal=True, **streams)
        os.close(terminal)
        self.raw = b""
        self.screen = pyte.Screen(width, height)
        self.stream = pyte.ByteStream(self.screen)
        self.modes = termios.tcgetattr(self.fd)

    @property
    def text(self):
        return "\n".join(self.screen.display)

    def read(self, seconds):
        """Take in what comes within ``seconds``; False when nothing ever will again."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0 and select.select([self.fd], [], [], left)[0]:
            try:
                data = os.read(self.fd, 1 << 16)
            except OSError:
                return False
            self.raw += data
            self.stream.feed(data)
            if ASKS_FOR_FRAMES in data:
                os.write(self.fd, b"\x1b[?2026;2$y")
        return True

    def wait_for(self, condition, what):
        """Read until ``condition`` holds."""
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            is_open = self.read(0.05)
            if not condition() and (not is_open or time.monotonic() > deadline):
                raise AssertionError(f"never came: {what}\n{self.text}\n{self.raw[-2000:]!r}")

    def wait_for_text(self, pattern):
        self.wait_for(lambda: re.search(pattern, self.text, re.MULTILINE), pattern)

    def wait_for_bytes(self, part, start=0):
        self.wait_for(lambda: part in self.raw[start:], part)

    def wait_for_loop(self, at_least=2):
        self.wait_for(lambda: (self.loop or 0) >= at_least, f"meta-loop {at_least}")

    def wait_for_end(self):
        """Read to the end; the exit code, or minus the signal."""
        deadline = time.monotonic() + PATIENCE_S
        while self.read(0.2):
            assert time.monotonic() < deadline, self.text
        return self.process.wait()

    def press(self, keys):
        os.write(self.fd, keys.encode())

    def hang_up(self):
        """What happens when the window is closed."""
        os.close(self.fd)
        self.fd = None

    def resize(self, width, height):
        """What a terminal emulator does: it keeps what it shows, and tells the program."""
        self.screen.resize(height, width)
        termios.tcsetwinsize(self.fd, (height, width))

    @property
    def loop(self):
        """The loops done, as the screen says."""
        found = re.search(r"^\W*meta-loop .* (\d+)/\d+ ", self.text, re.MULTILINE)
        return int(found[1]) if found else None

    @property
    def trainer(self):
        return psutil.Process(self.process.pid)

    def drawing(self, trainer=None):
        """The process that draws for ``trainer``."""
        (found,) = [p for p in (trainer or self.trainer).children() if p.name() == "drawing" or DRAWS in p.cmdline()]
        return found

    def left_behind(self):
        """What the normal screen got since the alternate one was left: no control code, each broken line in one."""
        text = self.raw[self.raw.rindex(LEAVE) + len(LEAVE) :].decode()
        # Modes that are taken back, colours of the chart, and the title and progress of the window.
        text = re.sub(r"\x1b\[\?\d+[hl]|\x1b\[[\d;]*m|\x1b\[23;2t|\x1b\]9;4;0;\x07", "", text)
        assert "\x1b" not in text, text
        return re.sub(r"\n  (?=\S)", " ", text.replace("\r\n", "\n"))

    def left_lines(self):
        """The lines of ``left_behind`` below the last chart."""
        lines = self.left_behind().splitlines()
        return lines[next(number for number, line in enumerate(lines) if line.startswith("run ")) :]

    def assert_restored(self):
        """Alternate screen left, cursor shown, modes of the line as they were."""
        assert self.raw.count(ENTER) > 0
        assert self.raw.rindex(LEAVE) > self.raw.rindex(ENTER)
        assert self.raw.rindex(SHOW) > self.raw.rindex(HIDE)
        assert self.raw.rfind(FRAME) < self.raw.rindex(LEAVE)
        assert termios.tcgetattr(self.fd) == self.modes

    def end(self):
        """Leave no process behind, whatever happened."""
        with contextlib.suppress(psutil.NoSuchProcess):
            top = psutil.Process(self.process.pid)
            for process in [*top.children(recursive=True), top]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
        if self.fd is not None:
            os.close(self.fd)
        self.process.wait()


def eventually(condition):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def suspend(process):
    """Stop ``process``; returns when it has stopped, which a signal alone does not wait for."""
    process.suspend()
    eventually(lambda: process.status() == psutil.STATUS_STOPPED)


def is_alive(process):
    """Whether any thread of ``process`` runs yet: until the last has ended, its pipes stay open."""
    try:
        end = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return False
    try:
        return not select.select([end], [], [], 0)[0]
    finally:
        os.close(end)
