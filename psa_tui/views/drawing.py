"""The drawing process, seen from the process that has something to show.

Nothing waits for drawing: what is to be shown goes through a pipe that is never blocked on. The drawing process
owns the terminal's modes, so it can restore them even when this process is killed; if it dies itself, its owner
hears of it.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, TextIO

from psa_tui.machine.child_processes import STOP_SIGNALS, isolated_children
from psa_tui.runs.controls import Control

SUSPEND, RESUME = "suspend", "resume"
SUSPENDED = b"suspended\n"
_RESTORE = (
    "".join(f"\x1b[?{mode}l" for mode in (1000, 1003, 1015, 1006, 1016, 1004, 2004, 2048, 1049))
    + "\x1b[?7h\x1b[?25h\x1b[0m\x1b]9;4;0;\x07\x1b[23;2t"
)
"""No mouse, focus or paste reports, the normal screen, wrapped lines, a cursor, no progress, the title as it was."""
_PATIENCE_S = 2.0
_SUSPEND_S = 0.5


def _environment() -> dict[str, str]:
    """Return the variables of the drawing process."""
    # A shell that exports its size does so once; the terminal knows it.
    kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    # Ctrl-C and Ctrl-Z are signals to the whole job, as in any other program, and keys have one code in all terminals.
    return kept | {"TEXTUAL_ALLOW_SIGNALS": "1", "TEXTUAL_DISABLE_KITTY_KEY": "1"}


class Drawing:
    """The process that draws on the terminal ``stream`` and lets its keyboard reach ``control``."""

    def __init__(
        self, stream: TextIO, control: Control, on_failure: Callable[[], None], *, ascii_only: bool, read_only: bool
    ) -> None:
        """Start the process; it touches the terminal when something is sent.

        With ``read_only`` the only key that reaches ``control`` is q. ``on_failure`` is called when the process
        turns out to be gone; the terminal is restored by then.
        """
        self._stream = stream
        self._modes = termios.tcgetattr(stream) if stream.isatty() else None
        events, self._events = os.pipe()
        self._commands, commands = os.pipe()
        arguments = [sys.executable, "-m", "psa_tui.views.terminal", str(events), str(commands)]
        arguments += ["--ascii"] if ascii_only else []
        arguments += ["--read-only"] if read_only else []
        # A Ctrl-C before it could ignore them would end it.
        with isolated_children((*STOP_SIGNALS, signal.SIGTSTP)):
            # Textual writes to the standard error stream; wherever ours goes, its is the terminal.
            self._process = subprocess.Popen(arguments, pass_fds=(events, commands), stderr=stream, env=_environment())
        os.close(events)
        os.close(commands)
        os.set_blocking(self._events, False)
        control.listen(self._commands)
        self._backlog = bytearray()
        self._on_failure = on_failure
        self.is_open = True
        self._tstp = signal.signal(signal.SIGTSTP, self._suspend)

    @property
    def is_behind(self) -> bool:
        """Whether the process has not taken yet what it was sent."""
        return bool(self._backlog)

    def add(self, values: dict[str, Any]) -> None:
        """Put an event, as JSON-ready values, behind what is to be sent."""
        self._backlog += json.dumps(values).encode() + b"\n"

    def send(self, values: dict[str, Any]) -> None:
        """Send a message or a command."""
        self.add(values)
        self.flush()

    def close(self) -> None:
        """Let the drawing process restore the terminal, and wait until it has."""
        if not self.is_open:
            return
        self.is_open = False
        signal.signal(signal.SIGTSTP, self._tstp)
        deadline = time.monotonic() + _PATIENCE_S
        while self._backlog and time.monotonic() < deadline and self._process.poll() is None:
            select.select([], [self._events], [], 0.1)
            self.flush()
        os.close(self._events)
        self._backlog.clear()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=_PATIENCE_S)
        if self._process.returncode != 0:
            self._process.kill()
            self._process.wait()
            self._restore_terminal()

    def flush(self) -> None:
        """Send what the process could not take before; without events to come, nothing else does."""
        # Ctrl-Z sends too, and must not come between writing bytes and dropping them.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTSTP})
        try:
            while self._backlog:
                del self._backlog[: os.write(self._events, self._backlog)]
        except BlockingIOError:
            pass
        except BrokenPipeError:
            self._backlog.clear()
            if self.is_open:
                self.close()
                self._on_failure()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTSTP})

    def _restore_terminal(self) -> None:
        """Do what the drawing process would have done: leave its screen, show the cursor, give back the modes."""
        with contextlib.suppress(OSError, termios.error):
            self._stream.write(_RESTORE)
            self._stream.flush()
            if self._modes is not None:
                termios.tcsetattr(self._stream, termios.TCSANOW, self._modes)

    def _suspend(self, number: int, frame: FrameType | None) -> None:
        """Answer Ctrl-Z: give the terminal back before the process stops, and take it again when it goes on."""
        self.send({"command": SUSPEND})
        deadline = time.monotonic() + _SUSPEND_S
        while (left := deadline - time.monotonic()) > 0 and select.select([self._commands], [], [], left)[0]:
            answer = os.read(self._commands, 64)
            if not answer or SUSPENDED in answer:
                break
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, self._suspend)
        self.send({"command": RESUME})
