"""Watching a run of another process: its dashboard, read-only, or its lines."""

from __future__ import annotations

import sys
import time

from psa_tui.formatting import run_words
from psa_tui.method.events import Event, Outcome, RunStarted
from psa_tui.runs.controls import Control
from psa_tui.runs.following import Following
from psa_tui.settings import Settings
from psa_tui.views.base import View
from psa_tui.views.dashboard import DashboardView
from psa_tui.views.jsonl import JsonView
from psa_tui.views.messages import print_note, print_warning
from psa_tui.views.output import draws_in_ascii
from psa_tui.views.plain import PlainView
from psa_tui.views.text import format_end
from psa_tui.views.wrapping import write_lines

_POLL_S = 0.5
_BEHIND_S = 0.02


def follow_in_lines(following: Following, settings: Settings) -> None:
    """Print a line, or an object, an event until the run ends."""
    view: View[Event] = JsonView(sys.stdout) if settings.get("json") else PlainView(sys.stdout)
    while following.finished is None:
        for seen in following.poll():
            if isinstance(seen.event, RunStarted):
                for notice in seen.event.notices:
                    print_warning(notice)
            view.handle(seen.event)
        if following.finished is None:
            time.sleep(_POLL_S)
    if following.finished.outcome is Outcome.FAILED and not settings.get("json"):
        print_note(f"the run failed: {following.finished.reason}")


def follow_on_screen(following: Following, settings: Settings) -> None:
    """Draw the dashboard until somebody presses q."""
    control = Control()
    view = DashboardView(sys.stdout, control, ascii_only=draws_in_ascii(settings), read_only=True)
    try:
        while not control.quit and (view.is_drawing or following.finished is None):
            for seen in following.poll():
                view.handle(seen.event, seen.age_s)
            _wait_for_q(control, view)
    finally:
        was_drawing = view.is_drawing
        view.close()
    run = run_words(following.run, following.name)
    if following.finished is None:
        print_note(f"left run {run} at meta-loop {following.progress.meta_loop}; it goes on")
    elif was_drawing:
        write_lines(sys.stdout, [f"run {run}", *format_end(following.finished)])


def _wait_for_q(control: Control, view: DashboardView) -> None:
    """Wait until the next poll is due, or q is pressed; what the drawing process was too slow for is passed on."""
    due = time.monotonic() + _POLL_S
    while not control.quit and (now := time.monotonic()) < due:
        view.flush()
        until = min(due, now + _BEHIND_S) if view.is_behind else due
        # Without a drawing process nobody can press a key, and the poll returns at once.
        if control.poll("", wait_s=until - now) is None:
            time.sleep(max(until - time.monotonic(), 0.0))
