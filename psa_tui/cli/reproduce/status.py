"""``psa reproduce status``: ``psa study status`` of the reproduction."""

from __future__ import annotations

from psa_tui.cli.options import Json, takes_settings
from psa_tui.cli.study import options
from psa_tui.settings import Settings


@takes_settings("results_dir")
def status(settings: Settings, study: options.StudyName = None, json: Json = False) -> None:
    """Show a study's progress by shape and mode, what failed and why, and the time left.

    Without --study: of reproduction, or of the only study there is. It only reads, and may run while the study does.
    """
    from psa_tui.cli.study.status import print_status
    from psa_tui.studies.request import DEFAULT_NAME

    print_status(settings, study, json=json, default=DEFAULT_NAME)
