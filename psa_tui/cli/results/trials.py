"""``psa results trials``: every trial's best validation accuracy."""

from __future__ import annotations

from pathlib import Path

from psa_tui.cli import options as common
from psa_tui.cli.results import options


def trials(
    source: options.Source = "local",
    study: options.Study = None,
    results_dir: common.ResultsDir = None,
    output: options.Output = None,
    json: options.Json = False,
) -> None:
    """Show every trial's best validation accuracy, and write them to psa_simplemlp_trials.md.

    Missing trials are N/A. The file goes to the results folder, unless --output says otherwise.
    """
    from psa_tui.analysis.frames import shown_modes
    from psa_tui.analysis.summary import TRIALS_FILE, trial_rows, trials_markdown
    from psa_tui.cli.results.loading import results_folder, trials_of
    from psa_tui.cli.results.presenting import described, print_about, print_json, print_rows, write_file

    found = trials_of(source, study, results_dir)
    if json:
        print_json(described(found), trials=found)
    else:
        rows = [
            [architecture if index == 0 else "", str(trial), *cells]
            for architecture, lines in trial_rows(found)
            for index, (trial, cells) in enumerate(lines)
        ]
        print_about(found)
        print_rows(["shape", "trial", *shown_modes(found)], rows)
    path = Path(output) if output else results_folder(results_dir) / TRIALS_FILE
    write_file(path, trials_markdown(found).encode())
