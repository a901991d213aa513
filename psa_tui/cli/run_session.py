"""What ``psa train`` and ``psa resume`` share: a view to look at, a way to stop, and the exit code."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable

import typer

from psa_tui.cli.output import print_note, print_warning
from psa_tui.errors import ConfigError
from psa_tui.formatting import printable
from psa_tui.machine.signals import LeaveAtOnce, StopRequest
from psa_tui.method.events import Event, RunFinished, RunStarted
from psa_tui.runs.controls import Control
from psa_tui.runs.runner import Surroundings, View
from psa_tui.settings import Settings

Work = Callable[[Surroundings], RunFinished | None]


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
    control = Control()
    views: list[View] = [_Notices()]
    if path := settings.get("save_svg"):
        from psa_tui.views.screen import Look
        from psa_tui.views.svg import SvgView

        views.insert(0, SvgView(path, Look(ascii=settings.get("ascii"))))
    if folder := settings.get("tensorboard"):
        from psa_tui.views.tensorboard import TensorBoardView

        views.insert(0, TensorBoardView(folder))
    view = _view(settings, control)
    views.append(view)
    _start_logging(getattr(view, "message", _to_stderr), debug=settings.get("debug"))
    try:
        with StopRequest() as stop:
            finished = work(Surroundings(views, stop, control, print_note))
    except LeaveAtOnce as leave:
        view.close()
        print_note(f"left at once ({leave}); what was committed is intact")
        raise typer.Exit(leave.exit_code) from None
    finally:
        for one in reversed(views):
            one.close()
    if stop.exit_code and finished is not None:
        raise typer.Exit(stop.exit_code)
    return finished


def chosen_output(settings: Settings) -> str:
    """``json``, ``quiet`` or ``plain``, whichever the source of highest precedence asks for; else an empty string.

    Raises:
        ConfigError: one source asks for two of them.
    """
    found = {name: settings.find(name) for name in ("json", "quiet", "plain")}
    asked = {name: value.rank for name, value in found.items() if value is not None and value.value}
    chosen = [name for name, rank in asked.items() if rank == min(asked.values())]
    if len(chosen) > 1:
        raise ConfigError(f"--{chosen[0]} and --{chosen[1]} exclude each other; choose one")
    return chosen[0] if chosen else ""


def _view(settings: Settings, control: Control) -> View:
    chosen = chosen_output(settings)
    if chosen == "json":
        from psa_tui.views.jsonl import JsonView

        return JsonView(sys.stdout)
    from psa_tui.views.plain import PlainView, QuietView

    if chosen == "quiet":
        return QuietView(sys.stdout)
    if chosen == "plain" or not can_draw():
        return PlainView(sys.stdout)
    from psa_tui.views.dashboard import DashboardView

    return DashboardView(sys.stdout, control, ascii_only=draws_in_ascii(settings))


def can_draw() -> bool:
    """Whether stdout is a terminal on which a cursor can move."""
    return sys.stdout.isatty() and os.environ.get("TERM", "dumb") not in ("dumb", "unknown")


def draws_in_ascii(settings: Settings) -> bool:
    """Whether pictures keep to ASCII: it was asked for, or stdout has no more."""
    is_unicode = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    return bool(settings.get("ascii")) or not is_unicode


class _LogHandler(logging.Handler):
    """Writes log lines with ``write``: on stderr, or on the dashboard, which has the screen to itself."""

    def __init__(self, write: Callable[[str], None]) -> None:
        super().__init__()
        self._write = write

    def emit(self, record: logging.LogRecord) -> None:
        self._write(printable(self.format(record)))


def _start_logging(write: Callable[[str], None], *, debug: bool) -> None:
    handler = _LogHandler(write)
    handler.setFormatter(logging.Formatter("psa: %(levelname)s: %(name)s: %(message)s"))
    logger = logging.getLogger("psa_tui")
    logger.handlers[:] = [handler]
    logger.setLevel(logging.DEBUG if debug else logging.WARNING)
    logger.propagate = False


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr)
