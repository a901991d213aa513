"""The dashboard, seen from the run: a separate process draws and reads keys, this side only feeds it.

Training never waits for drawing: events go through a pipe that is never blocked on. The drawing process owns
the terminal's modes, so it can restore them even when this process is killed; if it dies itself, the run goes
on in plain lines.
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
from types import FrameType
from typing import Any, TextIO

from psa_tui.cli.output import print_warning
from psa_tui.control import Control
from psa_tui.events import EpochProgressed, Event, MetaLoopFinished, RunFinished, RunStarted, as_json
from psa_tui.views.plain import PlainView
from psa_tui.views.text import format_finished, format_loop, format_started
from psa_tui.wording import printable

SUSPEND, RESUME = "suspend", "resume"
SUSPENDED = b"z"
_NOT_FOR_THE_DRAWING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGTSTP)
_PATIENCE_S = 2.0
_SUSPEND_S = 0.5
_LAST_LOOPS = 5


class DashboardView:
    """Draws the run on the terminal ``stream`` and lets its keyboard reach ``control``."""

    def __init__(self, stream: TextIO, control: Control, *, ascii_only: bool) -> None:
        """Start the drawing process; it touches the terminal when the run starts."""
        self._stream = stream
        self._modes = termios.tcgetattr(stream) if stream.isatty() else None
        events, self._events = os.pipe()
        self._commands, commands = os.pipe()
        arguments = [sys.executable, "-m", "psa_tui.views.terminal", str(events), str(commands)]
        # Blocked signals stay blocked in the new process: a Ctrl-C before it could ignore them would end it.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _NOT_FOR_THE_DRAWING)
        try:
            self._process = subprocess.Popen(
                [*arguments, *(["--ascii"] if ascii_only else [])], pass_fds=(events, commands)
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.close(events)
        os.close(commands)
        os.set_blocking(self._events, False)
        control.listen(self._commands)
        self._backlog = bytearray()
        self._instead: PlainView | None = None
        self._is_open = True
        self._started: RunStarted | None = None
        self._loops: list[MetaLoopFinished] = []
        self._tstp = signal.signal(signal.SIGTSTP, self._suspend)

    def handle(self, event: Event) -> None:
        """Pass the event on; an epoch's progress is left out while the drawing process is behind."""
        if isinstance(event, RunStarted):
            self._started = event
        elif isinstance(event, MetaLoopFinished):
            self._loops = [*self._loops[1 - _LAST_LOOPS :], event]
        if self._instead is not None:
            self._instead.handle(event)
            return
        if not (self._backlog and isinstance(event, EpochProgressed)):
            self._send(as_json(event))
        if self._instead is not None:
            if event is not self._started:
                self._instead.handle(event)
            return
        if isinstance(event, RunFinished):
            self.close()
            self._print_result(event)

    def message(self, text: str) -> None:
        """Show a log line."""
        if self._is_open:
            self._send({"message": text})
        else:
            print(text, file=sys.stderr)

    def close(self) -> None:
        """Let the drawing process restore the terminal, and wait until it has."""
        if not self._is_open:
            return
        self._is_open = False
        signal.signal(signal.SIGTSTP, self._tstp)
        deadline = time.monotonic() + _PATIENCE_S
        while self._backlog and time.monotonic() < deadline and self._process.poll() is None:
            select.select([], [self._events], [], 0.1)
            self._flush()
        os.close(self._events)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=_PATIENCE_S)
        if self._process.returncode != 0:
            self._process.kill()
            self._process.wait()
            self._restore_terminal()

    def _send(self, values: dict[str, Any]) -> None:
        self._backlog += json.dumps(values).encode() + b"\n"
        self._flush()

    def _flush(self) -> None:
        # Ctrl-Z sends too, and must not come between writing bytes and dropping them.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTSTP})
        try:
            while self._backlog:
                del self._backlog[: os.write(self._events, self._backlog)]
        except BlockingIOError:
            pass
        except BrokenPipeError:
            self._backlog.clear()
            if self._is_open:
                self._go_on_in_plain_lines()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTSTP})

    def _go_on_in_plain_lines(self) -> None:
        self.close()
        print_warning("the dashboard failed; the run goes on in plain lines")
        self._instead = PlainView(self._stream)
        if self._started is not None:
            self._instead.handle(self._started)

    def _restore_terminal(self) -> None:
        """What the drawing process would have done: leave its screen, show the cursor, give back the modes."""
        with contextlib.suppress(OSError, termios.error):
            self._stream.write("\x1b[?1049l\x1b[?25h\x1b[0m")
            self._stream.flush()
            if self._modes is not None:
                termios.tcsetattr(self._stream, termios.TCSANOW, self._modes)

    def _print_result(self, event: RunFinished) -> None:
        """Leave a record on the normal screen."""
        lines = format_started(self._started) if self._started is not None else []
        lines += [format_loop(loop, event.last_meta_loop) for loop in self._loops]
        self._stream.writelines(printable(line) + "\n" for line in [*lines, *format_finished(event)])
        self._stream.flush()

    def _suspend(self, number: int, frame: FrameType | None) -> None:
        """Ctrl-Z: the terminal is given back before the process stops, and taken again when it goes on."""
        self._send({"command": SUSPEND})
        deadline = time.monotonic() + _SUSPEND_S
        while (left := deadline - time.monotonic()) > 0 and select.select([self._commands], [], [], left)[0]:
            answer = os.read(self._commands, 64)
            if not answer or SUSPENDED in answer:
                break
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, self._suspend)
        self._send({"command": RESUME})
