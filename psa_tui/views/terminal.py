"""The process that owns the terminal: draws what is sent, passes on what is typed, restores all at the end.

Started by ``psa_tui.views.drawing`` with the reading end of the event pipe and the writing end of the
command pipe. It ends when the event pipe does, however the run ended.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import select
import signal
import sys
import termios
import time
import tty
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from rich.console import Console, RenderableType

from psa_tui.method.event_codec import decode_event
from psa_tui.method.events import ControlChanged, RunFinished, RunStarted
from psa_tui.outside import outside_json
from psa_tui.runs import controls as control
from psa_tui.studies.events import StudyFinished, StudyStarted
from psa_tui.views import screen as run_screen
from psa_tui.views.base import State
from psa_tui.views.display import DisplayOptions
from psa_tui.views.drawing import RESUME, SUSPEND, SUSPENDED
from psa_tui.views.state import RunState
from psa_tui.views.study import screen as study_screen
from psa_tui.views.study.state import StudyState

_FRAME_S = 0.25
_BUSY = 0.025
"""The part of one core that drawing may take: a costly frame makes the next one wait longer."""
_TICK_S = 1.0
"""But nothing that changed waits longer: the first frame, which loads what draws, may cost half a second."""
_CLEAR = "\x1b[2J"
_SYNC_BEGIN, _SYNC_END = "\x1b[?2026h", "\x1b[?2026l"
"""Terminals that know it show what lies between in one piece; others ignore it."""
_COMMANDS = {" ": control.PAUSE, "m": control.MODE, "s": control.STOP, "q": control.QUIT, "l": control.LOG}
_KEY = re.compile(r"\x1b[\[O]([A-D])|\x1b\[[0-9;?]*[ -~]|.", re.DOTALL)
"""An arrow key (its letter is the group), any other escape sequence, or one character."""
_URGENT = (ControlChanged, RunFinished, StudyFinished)
"""Events that are shown at once."""
Render = Callable[[Any, int, int, float, DisplayOptions], RenderableType]
_SCREENS: dict[type, tuple[Callable[[], State], Render]] = {
    RunStarted: (RunState, run_screen.render),
    StudyStarted: (StudyState, study_screen.render),
}
"""What is shown after each event that begins something: a new state, and what draws it."""


def pause_after(cost_s: float) -> float:
    """Return how many seconds nothing is drawn after a frame that took ``cost_s`` of processor time."""
    return min(max(_FRAME_S, cost_s / _BUSY), _TICK_S)


class _Screen:
    """The terminal while it is ours: alternate screen, no cursor, keys without Enter and without echo."""

    def __init__(self, options: DisplayOptions) -> None:
        self.options = options
        self.has_keys = sys.stdin.isatty()
        self._console = Console(file=sys.stdout)
        self._modes: list[Any] | None = None
        self._shown: list[str] = []
        self.is_ours = False

    def is_in_foreground(self) -> bool:
        """Whether this job may touch the terminal now."""
        try:
            return os.tcgetpgrp(sys.stdout.fileno()) == os.getpgrp()
        except OSError:
            return False

    def take(self) -> None:
        if self.has_keys:
            self._modes = termios.tcgetattr(sys.stdin)
            tty.setcbreak(sys.stdin)
        self._console.set_alt_screen(True)
        self._console.show_cursor(False)
        self.is_ours = True
        self._shown = []

    def give_back(self) -> None:
        if not self.is_ours:
            return
        self.is_ours = False
        # A terminal that is gone has nothing to restore.
        with contextlib.suppress(OSError, termios.error):
            self._console.show_cursor(True)
            self._console.set_alt_screen(False)
            if self._modes is not None:
                termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self._modes)

    def forget(self) -> None:
        """Draw everything anew next time: a resize may have left anything on the screen."""
        self._shown = []

    def draw(self, state: State, render: Render, now: float) -> None:
        """Write the lines that changed, in one piece."""
        width, height = self._console.size = os.get_terminal_size(sys.stdout.fileno())
        with self._console.capture() as picture:
            shown = render(state, width, height, now, self.options)
            self._console.print(shown, width=width, height=height, end="", highlight=False)
        lines = picture.get().split("\n")[:height]
        # Every line is as wide as the screen, so it needs no erasing before.
        if len(self._shown) != len(lines):
            self._shown = [""] * len(lines)
            changed = [_CLEAR]
        else:
            changed = []
        changed += [
            f"\x1b[{row};1H{line}"
            for row, (line, before) in enumerate(zip(lines, self._shown, strict=True), start=1)
            if line != before
        ]
        if changed:
            sys.stdout.write(_SYNC_BEGIN + "".join(changed) + _SYNC_END)
            sys.stdout.flush()
        self._shown = lines


class _Program:
    """Waits for events, keys and resizes, and draws when something changed and a frame is due."""

    def __init__(self, events: int, commands: int, screen: _Screen) -> None:
        self.events, self.commands, self.screen = events, commands, screen
        self.state: State = RunState()
        self.render: Render = run_screen.render
        self.pending = b""
        self.suspended = False
        self.changed = False
        self.due = 0.0
        self.woken, wake = os.pipe()
        for end in (self.woken, wake):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGWINCH, lambda *_: None)
        signal.signal(signal.SIGCONT, lambda *_: None)

    def run(self) -> None:
        while True:
            sources = [self.events, self.woken]
            if self.screen.is_ours and self.screen.has_keys:
                sources.append(sys.stdin.fileno())
            ready = select.select(sources, [], [], self._wait_s())[0]
            if self.woken in ready:
                os.read(self.woken, 64)
                self.screen.forget()
                self.changed = True
                self.due = 0.0
            if self.events in ready and not self._read_events():
                return
            if len(ready) and ready[-1] not in (self.events, self.woken):
                self._read_keys()
            self._show()

    def _wait_s(self) -> float | None:
        """How long nothing needs to be done unless something comes."""
        if self.state.started is None or self.suspended:
            return None
        if not self.screen.is_ours:
            return _TICK_S
        if self.changed:
            return max(self.due - time.monotonic(), 0.0)
        return None if self.state.is_still else _TICK_S

    def _show(self) -> None:
        now = time.monotonic()
        if self.state.started is None or self.suspended:
            return
        if not self.screen.is_in_foreground():
            self.changed = False
            return
        if not self.screen.is_ours:
            self.screen.take()
            self.changed, self.due = True, now
        if now < self.due:
            return
        before_s = time.process_time()
        self.screen.draw(self.state, self.render, now)
        self.changed = False
        self.due = now + pause_after(time.process_time() - before_s)

    def _read_events(self) -> bool:
        """Fold what has come; False when nothing more will."""
        data = os.read(self.events, 1 << 16)
        if not data:
            return False
        *lines, self.pending = (self.pending + data).split(b"\n")
        now = time.monotonic()
        for line in lines:
            # The one door to every screen: whatever a view forgot is harmless from here on.
            values = outside_json(line)
            if values.get("command") == SUSPEND:
                self.screen.give_back()
                self.suspended = True
                os.write(self.commands, SUSPENDED)
            elif values.get("command") == RESUME:
                self.suspended = False
            elif "message" in values:
                self.state.messages.appendleft(values["message"])
                self.changed = True
            else:
                happened_at = now - values.pop("age_s")
                self._fold(values, happened_at)
                self.changed = True
        return True

    def _fold(self, values: dict[str, Any], happened_at: float) -> None:
        """Fold one event of a run or a study; where one begins, what was shown before is void, but for its messages."""
        event = decode_event(values)
        if type(event) in _SCREENS:
            before = self.state
            new_state, self.render = _SCREENS[type(event)]
            self.state = new_state()
            if before.started is None:
                self.state.messages.extend(before.messages)
        self.state.fold(event, happened_at)
        if isinstance(event, _URGENT):
            self.due = 0.0

    def _read_keys(self) -> None:
        typed = os.read(sys.stdin.fileno(), 256)
        if not typed:
            # The terminal was closed; waiting for more would only burn time.
            self.screen.has_keys = False
        for key in _KEY.finditer(typed.decode("utf-8", "ignore")):
            options = self.screen.options
            if options.help or key[0] == "?":
                self.screen.options = replace(options, help=not options.help)
            elif key[1] == "B":
                last = max(self.state.scrollable - 1, 0)
                self.screen.options = replace(options, scroll=min(options.scroll + 1, last))
            elif key[1] == "A":
                self.screen.options = replace(options, scroll=max(options.scroll - 1, 0))
            elif (command := _COMMANDS.get(key[0].lower())) and (command == control.QUIT or not options.read_only):
                with contextlib.suppress(BrokenPipeError):
                    os.write(self.commands, command)
            self.changed = True
            self.due = 0.0


def main() -> None:
    """Draw until the events end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("events", type=int)
    parser.add_argument("commands", type=int)
    parser.add_argument("--ascii", action="store_true")
    parser.add_argument("--read-only", action="store_true")
    arguments = parser.parse_args()
    # The run decides what these mean; this process ends with its events. TTOU would stop it in the background.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGTSTP, signal.SIGTTOU, signal.SIGTTIN):
        signal.signal(number, signal.SIG_IGN)
    screen = _Screen(DisplayOptions(ascii=arguments.ascii, read_only=arguments.read_only))
    try:
        _Program(arguments.events, arguments.commands, screen).run()
    except OSError:
        # The terminal is gone; the run hears of it by its own signal.
        pass
    finally:
        screen.give_back()


if __name__ == "__main__":
    main()
