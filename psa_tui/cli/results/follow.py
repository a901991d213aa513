"""``psa results follow``: the dashboard of a run that goes on in another process, read-only."""

from __future__ import annotations

import sys

from psa_tui.cli.options import takes_settings
from psa_tui.cli.results.show import Run
from psa_tui.errors import ConfigError
from psa_tui.settings import Settings

_RECENT_ON_SCREEN, _RECENT_IN_LINES = 500, 10


@takes_settings("results_dir", "plain", "json", "ascii")
def follow(settings: Settings, run: Run) -> None:
    """Watch a run that another process works on, without touching it.

    In a terminal this is the dashboard of psa train, which stays, also for a resume, until q or Ctrl-C; in a
    pipe it is a line a meta-loop, and ends with the run. Between two loops nothing is known but the time.
    """
    from psa_tui.runs.following import Following
    from psa_tui.runs.history import find_run
    from psa_tui.storage.run_store import read_runs
    from psa_tui.views.following import follow_in_lines, follow_on_screen
    from psa_tui.views.output import can_draw

    folder = settings.get("results_dir")
    in_lines = settings.get("plain") or settings.get("json") or not (can_draw() and sys.stdin.isatty())
    with read_runs(folder) as store:
        if store is None:
            raise ConfigError(f"there is no history in {folder}; psa train makes one, --results-dir names another")
        name = find_run(store, run).run
        following = Following(store, name, folder, recent=_RECENT_IN_LINES if in_lines else _RECENT_ON_SCREEN)
        if in_lines:
            follow_in_lines(following, settings)
        else:
            follow_on_screen(following, settings)
