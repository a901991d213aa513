"""What ``psa train`` and ``psa resume`` share: a view to look at, a way to stop, and the exit code."""

from __future__ import annotations

import sys
from collections.abc import Callable

import typer

from psa_tui.machine.logs import start_logging
from psa_tui.machine.signals import LeaveAtOnce, StopRequest
from psa_tui.method.events import Event, RunFinished, RunStarted
from psa_tui.runs.context import RunContext
from psa_tui.runs.controls import Control
from psa_tui.settings import Settings
from psa_tui.views.base import View
from psa_tui.views.messages import print_note, print_warning
from psa_tui.views.output import can_draw, chosen_output, draws_in_ascii

Work = Callable[[RunContext], RunFinished | None]


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
    views: list[View[Event]] = [_Notices()]
    if path := settings.get("save_svg"):
        from psa_tui.views.display import DisplayOptions
        from psa_tui.views.svg import SvgView

        views.insert(0, SvgView(path, DisplayOptions(ascii=settings.get("ascii"))))
    if folder := settings.get("tensorboard"):
        from psa_tui.views.tensorboard import TensorBoardView

        views.insert(0, TensorBoardView(folder))
    view = _view(settings, control)
    views.append(view)
    start_logging(view, debug=settings.get("debug"))
    try:
        with StopRequest() as stop:
            finished = work(RunContext(views, stop, control, print_note))
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


def _view(settings: Settings, control: Control) -> View[Event]:
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
