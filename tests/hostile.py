"""Texts that would drive a terminal, and what tells whether they did. ``HOSTILE_STRINGS`` says how many; with
``HOSTILE_PIECE=2/10`` only the second tenth of them is taken."""

import os
import random
import re

from textual.drivers.headless_driver import HeadlessDriver

IS_WHOLE = "HOSTILE_STRINGS" in os.environ
ALL = int(os.environ.get("HOSTILE_STRINGS", "80"))
PIECES = (
    *("\x1b]0;title\x07", "\x1b]52;c;Y2xpcA==\x07", "\x1b[2J", "\x1b[31m", "\x1bPq\x1b\\", "\x9b2J", "\x9d0;t\x9c"),
    *("\x1b]2;other\x07", "\x1b]9;4;1;7777\x07", "\x1b]8;;http://x\x1b\\", "\x1b[7777m", "\x1b[7777;1H", "\x1b[?7777h"),
    *("\r", "\n", "\r\n", "\x0b", "\x0c", "\x85", "\u2028", "\u2029", "\t", "\b", "\0", "\x7f", "\x1b"),
    *("\u202e", "\u2066", "\u200f", "\ufeff", "\U000e0041", "\ue000", "[bold red]", "[/]", "[link=x]", "{x}", "%s"),
    *("$x^2$", "<b>", "&amp;", "|", "`", "a", "psa", "e\u0301", "\u4e2d", "\U0001f600", " "),
)
DRIVES = re.compile(rb"[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\xa8-\xae\x8f]|\xe2\x81[\xa6-\xa9]")
"""What may not leave: C0 but for the end of a line, DEL, C1, separators of lines, marks of direction."""
COLOUR = re.compile(rb"\x1b\[(?:\d{0,3};)*\d{0,3}m")
"""All that a screen's picture has of its own; the texts bring numbers of four digits."""
OWN = re.compile(
    COLOUR.pattern
    # The cursor's place, and modes.
    + rb"|\x1b\[\d{1,3};\d{1,3}H|\x1b\[\?(?:[12]\d{3}|\d{1,3})[hl]"
    # The window's title and tab, and the pointer.
    rb"|\x1b\[2[23];2t|\x1b\](?:2;psa [^\x00-\x1f\x7f]*|9;4;[01];\d{0,3}|22;[a-z]*)\x07"
)
"""What a screen writes besides text."""


def _strings():
    draws = random.Random(14)
    every = ["".join(draws.choices(PIECES, k=draws.randint(1, 4))) for _ in range(ALL)]
    piece, _, pieces = os.environ.get("HOSTILE_PIECE", "1/1").partition("/")
    return every[int(piece) - 1 :: int(pieces)]


STRINGS = _strings()
COUNT = len(STRINGS)


def sample(count):
    """At most so many of the strings."""
    return STRINGS[:: max(COUNT // count, 1)][:count]


def batches(count, size):
    """Go through a sample in lists of ``size``; through all strings where somebody said how many."""
    chosen = STRINGS if IS_WHOLE else sample(count)
    return [chosen[start : start + size] for start in range(0, len(chosen), size)]


class Recorder(HeadlessDriver):
    """A driver that keeps what would be written to a terminal."""

    written = bytearray()

    @property
    def is_headless(self):
        return False

    def write(self, data):
        self.written += data.encode()


def record(monkeypatch):
    """Let applications under test write what a terminal would get, and return where it goes."""
    Recorder.written = bytearray()
    monkeypatch.setattr("textual.drivers.headless_driver.HeadlessDriver", Recorder)
    return Recorder.written


def driven(written):
    """Return what drives a terminal in ``written`` and is not a screen's own; and that it did draw."""
    assert b"\x1b[" in written
    rest = OWN.sub(b"", bytes(written))
    return [rest[max(found.start() - 20, 0) : found.end() + 20] for found in DRIVES.finditer(rest)][:3]
