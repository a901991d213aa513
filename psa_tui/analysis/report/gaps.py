"""What a study's page cannot say, and why: missing trials, unknown seeds, unmeasured test accuracy, no meta-loops."""

from __future__ import annotations

from psa_tui.analysis.figures.study_results import StudyResults
from psa_tui.analysis.summary import notices


def gaps(results: StudyResults) -> list[str]:
    """Return sentences; none when nothing is missing."""
    trials = results.trials
    said = [_sentence(notice) for notice in notices(trials)]
    for column, words in (("test_accuracy", "test accuracy"), ("seed", "seed")):
        unknown = int(trials[column].isna().sum())
        if unknown:
            which = "all" if unknown == len(trials) else f"{unknown:,} of {len(trials):,}"
            said.append(f"The {words} of {which} trials is not known.")
    if results.loops is None:
        said.append(_sentence(results.no_loops))
    else:
        followed = results.loops[["architecture", "mode", "trial"]].drop_duplicates()
        if len(followed) < len(trials):
            said.append(f"{len(trials) - len(followed):,} of {len(trials):,} trials have no recorded meta-loops.")
    if results.majority is None:
        said.append("This data set's majority class is not known here, so shapes have no regimes; --zero-r gives it.")
    if results.cells["n"].min() < 2:
        said.append("Some cells have a single trial: their standard deviation says nothing.")
    return said


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:].rstrip(".") + "."
