"""``psa results trials``: every trial's best validation accuracy."""

from __future__ import annotations

from pathlib import Path

from psa_tui.cli.options import Json, takes_settings
from psa_tui.cli.results import options
from psa_tui.settings import Settings


@takes_settings("results_dir")
def trials(
    settings: Settings,
    source: options.Source = "local",
    study: options.Study = None,
    out: options.Out = None,
    json: Json = False,
) -> None:
    """Show every trial's best validation accuracy, and write them to psa_simplemlp_trials.md.

    Missing trials are N/A. The file goes to the results folder, unless --out says otherwise; of any study but
    reproduction its name has the study's, as in psa_simplemlp_trials-mine.md.
    """
    from psa_tui.analysis.frames import shown_modes
    from psa_tui.analysis.summary import TRIALS_FILE, file_for, trial_rows, trials_markdown
    from psa_tui.analysis.text_tables import TextTable, about
    from psa_tui.cli.results.loading import trials_of
    from psa_tui.cli.results.printing import described, print_json, print_text, write_file

    folder = settings.get("results_dir")
    found = trials_of(source, study, folder)
    if json:
        print_json(described(found), trials=found)
    else:
        rows = [
            [architecture if index == 0 else "", str(trial), *cells]
            for architecture, lines in trial_rows(found)
            for index, (trial, cells) in enumerate(lines)
        ]
        print_text(about(found), TextTable(["shape", "trial", *shown_modes(found)], rows))
    write_file(Path(out) if out else folder / file_for(found, TRIALS_FILE), trials_markdown(found).encode())
