"""The view of a study that the settings ask for."""

from __future__ import annotations

import sys
from typing import Protocol

from psa_tui.cli.run_session import can_draw, chosen_output, draws_in_ascii
from psa_tui.machine.signals import StopRequest
from psa_tui.settings import Settings
from psa_tui.studies.events import StudyEvent


class StudyView(Protocol):
    """Something that shows a study. It only reads events, and may fail without harm to the study."""

    def handle(self, event: StudyEvent) -> None:
        """Take note of ``event``; called in order, after what it tells is durable."""

    def close(self) -> None:
        """The study's session is over, or failed: give back the terminal."""


def choose_view(settings: Settings, stop: StopRequest) -> StudyView:
    """JSON lines, plain lines, the result alone, or the screen, whose q asks ``stop``.

    Raises:
        ConfigError: two of them were asked for.
    """
    from psa_tui.views.study.plain import StudyJsonView, StudyPlainView

    chosen = chosen_output(settings)
    if chosen == "json":
        return StudyJsonView(sys.stdout)
    if chosen or not can_draw():
        return StudyPlainView(sys.stdout, quiet=chosen == "quiet")
    from psa_tui.views.study.dashboard import StudyDashboard

    return StudyDashboard(sys.stdout, stop, ascii_only=draws_in_ascii(settings))
