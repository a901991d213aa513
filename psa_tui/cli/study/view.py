"""The view of a study that the settings ask for."""

from __future__ import annotations

import sys

from psa_tui.machine.logs import start_logging
from psa_tui.machine.signals import StopRequest
from psa_tui.settings import Settings
from psa_tui.studies.events import StudyEvent
from psa_tui.views.base import View
from psa_tui.views.messages import print_warning
from psa_tui.views.output import can_draw, chosen_output, draws_in_ascii

_OF_A_RUN = ("save_svg", "tensorboard")


def choose_view(settings: Settings, stop: StopRequest) -> View[StudyEvent]:
    """Return JSON lines, plain lines, the result alone, or the screen, whose q asks ``stop``; log lines go there too.

    Raises:
        ConfigError: two of them were asked for.
    """
    for name in _OF_A_RUN:
        if (found := settings.find(name)) is not None:
            print_warning(f"{found.origin} {found.value}: is of a single run; nothing is written there for a study")
    view = _view(settings, stop)
    start_logging(view, debug=settings.get("debug"))
    return view


def _view(settings: Settings, stop: StopRequest) -> View[StudyEvent]:
    chosen = chosen_output(settings)
    if chosen == "json":
        from psa_tui.views.jsonl import JsonView

        return JsonView(sys.stdout)
    if chosen or not can_draw():
        from psa_tui.views.study.plain import StudyPlainView

        return StudyPlainView(sys.stdout, quiet=chosen == "quiet")
    from psa_tui.views.study.dashboard import StudyDashboard

    return StudyDashboard(sys.stdout, stop, ascii_only=draws_in_ascii(settings))
