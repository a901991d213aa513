"""The process that owns the terminal: draws what is sent, passes on what is typed, restores all at the end.

Started by ``psa_tui.views.drawing`` with the reading end of the event pipe and the writing end of the
command pipe. It ends when the event pipe does, however the run ended.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys

from rich.console import Console

from psa_tui.formatting import printable
from psa_tui.views.display import DisplayOptions
from psa_tui.views.live.app import LiveApp, is_in_foreground
from psa_tui.views.live.feed import Feed
from psa_tui.views.state import RunState

_CHART_LINES = 14
"""Of the chart that stays on the terminal at the end."""


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
    feed = Feed(arguments.events, arguments.commands)
    options = DisplayOptions(ascii=arguments.ascii, read_only=arguments.read_only)
    try:
        if feed.wait_for_screen(is_in_foreground):
            app = LiveApp(feed, options)
            app.run()
            if app.failure is not None:
                raise SystemExit(f"psa: error: the screen failed: {printable(repr(app.failure))}")
            _leave_chart(feed, options)
            sys.stdout.flush()
    except OSError:
        # The terminal is gone; the run hears of it by its own signal.
        pass
    # The run waits for this process, which has nothing to tidy up.
    os._exit(0)


def _leave_chart(feed: Feed, options: DisplayOptions) -> None:
    """Print the last chart of a run where it stays, on the normal screen."""
    state = feed.state
    if isinstance(state, RunState) and state.finished is not None and state.meta_loops:
        from psa_tui.views.chart import accuracy_chart

        console = Console()
        console.print(accuracy_chart(state, console.width - 1, _CHART_LINES, options), highlight=False)


if __name__ == "__main__":
    main()
