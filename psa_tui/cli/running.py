"""What ``psa train`` and ``psa resume`` share: a view to look at, a way to stop, and the exit code."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Sequence

import typer

from psa_tui.cli.output import print_note, print_warning, printable
from psa_tui.config import Settings
from psa_tui.errors import ConfigError
from psa_tui.events import Event, RunFinished, RunStarted
from psa_tui.runner import Say, View
from psa_tui.stopping import LeaveAtOnce, StopRequest

Work = Callable[[Sequence[View], StopRequest, Say], RunFinished | None]


class _Notices:
    """Says loudly, on stderr, what a user must know before trusting the numbers."""

    def handle(self, event: Event) -> None:
        if isinstance(event, RunStarted):
            for notice in event.notices:
                print_warning(notice)

    def close(self) -> None:
        pass


def carry_out(settings: Settings, work: Work) -> RunFinished | None:
    """Do ``work`` with the view that ``settings`` ask for; leave with the exit code of a run that was stopped."""
    _start_logging(debug=settings.get("debug"))
    views = [_Notices(), _view(settings)]
    try:
        with StopRequest() as stop:
            finished = work(views, stop, print_note)
    except LeaveAtOnce as leave:
        print_note(f"left at once ({leave}); what was committed is intact")
        raise typer.Exit(leave.exit_code) from None
    if finished is not None and finished.progress.meta_loop < finished.last_meta_loop:
        raise typer.Exit(stop.exit_code)
    return finished


def _view(settings: Settings) -> View:
    chosen = [name for name in ("json", "quiet", "plain") if settings.get(name)]
    if len(chosen) > 1:
        raise ConfigError(f"--{chosen[0]} and --{chosen[1]} exclude each other; choose one")
    if chosen == ["json"]:
        from psa_tui.views.jsonl import JsonView

        return JsonView(sys.stdout)
    from psa_tui.views.plain import PlainView, QuietView

    if chosen == ["quiet"]:
        return QuietView(sys.stdout)
    if chosen == ["plain"] or not sys.stdout.isatty() or os.environ.get("TERM", "dumb") in ("dumb", "unknown"):
        return PlainView(sys.stdout)
    from psa_tui.views.live import LiveView

    return LiveView(sys.stdout)


class _PrintableFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


def _start_logging(*, debug: bool) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(_PrintableFormatter("psa: %(levelname)s: %(name)s: %(message)s"))
    logger = logging.getLogger("psa_tui")
    logger.handlers[:] = [handler]
    logger.setLevel(logging.DEBUG if debug else logging.WARNING)
    logger.propagate = False
