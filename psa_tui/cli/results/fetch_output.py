"""What ``psa results fetch`` shows and writes: the account of what was done, and the two files."""

from __future__ import annotations

import json
import sys

from psa_tui.aws.fetch_report import FetchReport
from psa_tui.cli.results.printing import print_text, write_file
from psa_tui.views.messages import print_warning


def write_results(report: FetchReport) -> list[str]:
    """Write the summary and trials files of the study, if it has any trial, and return their paths."""
    from psa_tui.analysis.sources import FETCHED, load_trials
    from psa_tui.analysis.summary import SUMMARY_FILE, TRIALS_FILE, summary_markdown, trials_markdown

    if len(report.missing) == len(report.order.cells()):
        return []
    trials = load_trials(FETCHED, report.order.study, report.folder)
    files = {SUMMARY_FILE: summary_markdown(trials), TRIALS_FILE: trials_markdown(trials)}
    paths = {report.folder / name: text for name, text in files.items()}
    for path, text in paths.items():
        write_file(path, text.encode())
    return [str(path) for path in paths]


def print_report(report: FetchReport, files: list[str], *, as_json: bool) -> None:
    """Print what was found and done on stdout, what is amiss on stderr; or everything as one JSON object."""
    if as_json:
        json.dump(report.as_json() | {"files": files}, sys.stdout, indent=2)
        print()
        return
    print_text(*report.lines())
    for warning in report.warnings():
        print_warning(warning)
