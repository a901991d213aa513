"""What the drawing process is told, folded into a state, and what it answers."""

from __future__ import annotations

import contextlib
import os
import select
from collections.abc import Callable
from typing import Any

from psa_tui.method.event_codec import decode_event
from psa_tui.method.events import ControlChanged, RunFinished, RunStarted
from psa_tui.outside import outside_json
from psa_tui.studies.events import StudyFinished, StudyStarted
from psa_tui.views.base import State
from psa_tui.views.drawing import RESUME, SUSPEND, SUSPENDED
from psa_tui.views.state import RunState

_URGENT = (ControlChanged, RunStarted, RunFinished, StudyStarted, StudyFinished)
"""Events that are shown at once."""


def _study_state() -> State:
    # It loads the cost model and its networks, which the first frame does not wait for.
    from psa_tui.views.study.state import StudyState

    return StudyState()


_STATES: dict[type, Callable[[], State]] = {RunStarted: RunState, StudyStarted: _study_state}
"""The state that is new after each event that begins something."""
_POLL_S = 1.0
_MOST_BYTES = 1 << 16
"""What a pipe holds on Linux."""


class Feed:
    """Reads events from a pipe into ``state``, and writes commands into another."""

    def __init__(self, events: int, commands: int) -> None:
        """``events`` is the reading end of the one pipe, ``commands`` the writing end of the other."""
        self.events = events
        self._commands = commands
        self._unread = b""
        self.state: State = RunState()
        self.waits_for = ""
        """What is under way before the run or study begins."""
        self.is_suspended = False
        """Whether the terminal is another's: somebody pressed Ctrl-Z."""
        self.must_confirm = False
        """Whether who sends the events waits to hear that the terminal is given back."""
        self.is_urgent = False
        """Whether something has come that must be shown at once."""
        self.is_behind = False
        """Whether more has come than was read at once."""

    def read(self) -> bool:
        """Fold what has come; return False when nothing more will."""
        received = os.read(self.events, _MOST_BYTES)
        if not received:
            return False
        self.is_behind = len(received) == _MOST_BYTES
        *lines, self._unread = (self._unread + received).split(b"\n")
        for line in lines:
            # The one door to every screen: whatever a view forgot is harmless from here on.
            self._take(outside_json(line))
        return True

    def send(self, command: str) -> None:
        """Ask the run or study for something."""
        with contextlib.suppress(BrokenPipeError):
            os.write(self._commands, command.encode() + b"\n")

    def confirm_suspended(self) -> None:
        """Say that the terminal is given back."""
        self.must_confirm = False
        with contextlib.suppress(BrokenPipeError):
            os.write(self._commands, SUSPENDED)

    def wait_for_screen(self, can_draw: Callable[[], bool]) -> bool:
        """Read until there is something to show and ``can_draw``; return False when all ended before."""
        has_come = False
        while not (has_come and can_draw() and not self.is_suspended):
            if select.select([self.events], [], [], _POLL_S if has_come else None)[0]:
                if not self.read():
                    return False
                has_come = True
                if self.must_confirm:
                    self.confirm_suspended()
        return True

    def _take(self, values: dict[str, Any]) -> None:
        if values.get("command") == SUSPEND:
            self.is_suspended = self.must_confirm = True
        elif values.get("command") == RESUME:
            self.is_suspended = False
        elif "waits_for" in values:
            self.waits_for = values["waits_for"]
        elif "message" in values:
            self.state.messages.appendleft(values["message"])
        else:
            # Both processes read the one clock of the machine.
            happened_at = values.pop("happened_at")
            self._fold(decode_event(values), happened_at)

    def _fold(self, event: Any, happened_at: float) -> None:
        """Fold one event; where a run or study begins, what was shown before is void, but for its messages."""
        if (new_state := _STATES.get(type(event))) is not None:
            before, self.state = self.state, new_state()
            if before.started is None:
                self.state.messages.extend(before.messages)
        self.state.fold(event, happened_at)
        self.is_urgent |= isinstance(event, _URGENT)
