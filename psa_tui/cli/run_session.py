"""What ``psa train`` and ``psa resume`` share: a view to look at, a way to stop, and the exit code."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

import typer

from psa_tui.machine.logs import start_logging
from psa_tui.machine.signals import LeaveAtOnce, StopRequest
from psa_tui.method.events import Event, RunFinished
from psa_tui.runs.context import RunContext
from psa_tui.runs.controls import Control
from psa_tui.settings import Settings
from psa_tui.views.base import View
from psa_tui.views.messages import print_note
from psa_tui.views.output import WithWarnings, can_draw, chosen_output, draws_in_ascii, notifications

Work = Callable[[RunContext], RunFinished | None]


def carry_out(settings: Settings, work: Work) -> RunFinished | None:
    """Do ``work`` with the view that ``settings`` ask for; leave with the exit code of a run that was stopped."""
    with notifications(settings) as notifying:
        return _carry_out(settings, work, notifying)


def _carry_out(settings: Settings, work: Work, notifying: Sequence[View[Event]]) -> RunFinished | None:
    control = Control()
    views: list[View[Event]] = []
    if path := settings.get("save_svg"):
        from psa_tui.views.display import DisplayOptions
        from psa_tui.views.svg import SvgView

        views.append(SvgView(path, DisplayOptions(ascii=settings.get("ascii"))))
    if folder := settings.get("tensorboard"):
        from psa_tui.views.tensorboard import TensorBoardView

        views.append(TensorBoardView(folder))
    view, say = _view(settings, control)
    views.append(view)
    start_logging(view, debug=settings.get("debug"))
    try:
        with StopRequest() as stop:
            finished = work(RunContext([*notifying, *views], stop, control, say))
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


def _view(settings: Settings, control: Control) -> tuple[View[Event], Callable[[str], None]]:
    """Return what shows the run, and what says what comes before its first event."""
    chosen = chosen_output(settings)
    if not chosen and can_draw():
        from psa_tui.views.dashboard import DashboardView

        dashboard = DashboardView(sys.stdout, control, ascii_only=draws_in_ascii(settings))
        # The screen is there while PyTorch is not.
        dashboard.wait_for("loading PyTorch, the data set and the kernels")
        return dashboard, dashboard.say
    if chosen == "json":
        from psa_tui.views.jsonl import JsonView

        return WithWarnings(JsonView(sys.stdout)), print_note
    from psa_tui.views.plain import PlainView, QuietView

    return WithWarnings(QuietView(sys.stdout) if chosen == "quiet" else PlainView(sys.stdout)), print_note
