"""``psa results diff``: two runs side by side, the settings that differ first."""

from __future__ import annotations

import json as json_format
import sys

from psa_tui.cli.options import Json, takes_settings
from psa_tui.cli.results.show import Run
from psa_tui.settings import Settings


@takes_settings("results_dir", "ascii")
def diff(settings: Settings, run: Run, other: Run, json: Json = False) -> None:
    """Compare two runs: first the settings that differ, then the results."""
    from psa_tui.runs.history import differing, load_runs
    from psa_tui.views.output import draws_in_ascii
    from psa_tui.views.run_text import PAGE, format_difference, results_of
    from psa_tui.views.wrapping import page_width, write_lines

    one, two = load_runs(settings.get("results_dir"), [run, other])
    if json:
        content = {
            "schema": 1,
            "runs": [one.row.run, two.row.run],
            "settings_that_differ": differing(one.settings(), two.settings()),
            "results": [results_of(one), results_of(two)],
        }
        json_format.dump(content, sys.stdout, indent=2)
        print()
        return
    width = page_width(sys.stdout, PAGE)
    write_lines(sys.stdout, format_difference(one, two, ascii_only=draws_in_ascii(settings), width=width))
