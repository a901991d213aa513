"""``psa results follow``: the dashboard of a run that goes on in another process, read-only."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from psa_tui.cli import options
from psa_tui.cli.output import print_note, print_warning
from psa_tui.cli.results.show import Run
from psa_tui.errors import ConfigError
from psa_tui.method.variants import AblationMode
from psa_tui.settings import Settings, load_settings

if TYPE_CHECKING:
    from psa_tui.runs.controls import Control
    from psa_tui.runs.following import Following
    from psa_tui.runs.runner import View

_POLL_S = 0.5
_RECENT_ON_SCREEN, _RECENT_IN_LINES = 500, 10


def follow(
    run: Run,
    results_dir: options.ResultsDir = None,
    plain: options.Plain = None,
    json: options.Json = None,
    ascii: options.Ascii = None,
) -> None:
    """Watch a run that another process works on, without touching it.

    In a terminal this is the dashboard of psa train, which stays, also for a resume, until q or Ctrl-C; in a
    pipe it is a line a meta-loop, and ends with the run. Between two loops nothing is known but the time.
    """
    settings = load_settings({"results_dir": results_dir, "plain": plain, "json": json, "ascii": ascii})

    from psa_tui.cli.run_session import can_draw
    from psa_tui.runs.following import Following
    from psa_tui.runs.history import find_run
    from psa_tui.storage.run_store import read_history

    folder = settings.get("results_dir")
    in_lines = settings.get("plain") or settings.get("json") or not (can_draw() and sys.stdin.isatty())
    with read_history(folder) as history:
        if history is None:
            raise ConfigError(f"there is no history in {folder}; psa train makes one, --results-dir names another")
        name = find_run(history, run).run
        following = Following(history, name, folder, recent=_RECENT_IN_LINES if in_lines else _RECENT_ON_SCREEN)
        if in_lines:
            _follow_in_lines(following, settings)
        else:
            _follow_on_screen(following, settings)


def _follow_in_lines(following: Following, settings: Settings) -> None:
    from psa_tui.method.events import RunStarted
    from psa_tui.views.jsonl import JsonView
    from psa_tui.views.plain import PlainView

    view: View = JsonView(sys.stdout) if settings.get("json") else PlainView(sys.stdout)
    while following.finished is None:
        for seen in following.poll():
            if isinstance(seen.event, RunStarted):
                for notice in seen.event.notices:
                    print_warning(notice)
            view.handle(seen.event)
        if following.finished is None:
            time.sleep(_POLL_S)


def _follow_on_screen(following: Following, settings: Settings) -> None:
    from psa_tui.cli.run_session import draws_in_ascii
    from psa_tui.runs.controls import Control
    from psa_tui.views.dashboard import DashboardView
    from psa_tui.views.plain import PlainView

    control = Control()
    view = DashboardView(sys.stdout, control, ascii_only=draws_in_ascii(settings), read_only=True)
    try:
        while not control.quit and (view.is_drawing or following.finished is None):
            for seen in following.poll():
                view.handle(seen.event, seen.age_s)
            _wait_for_q(control)
    finally:
        was_drawing = view.is_drawing
        view.close()
    if following.finished is None:
        print_note(f"left run {following.run} at meta-loop {following.progress.meta_loop}; it goes on")
    elif was_drawing:
        print(f"run {following.run}")
        PlainView(sys.stdout).handle(following.finished)


def _wait_for_q(control: Control) -> None:
    """Wait until the next poll is due, or q is pressed."""
    due = time.monotonic() + _POLL_S
    while not control.quit and (left := due - time.monotonic()) > 0:
        # Without a drawing process nobody can press a key, and the poll returns at once.
        if control.poll(AblationMode.NONE, wait_s=left) is None:
            time.sleep(max(due - time.monotonic(), 0.0))
