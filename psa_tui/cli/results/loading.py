"""Loading what a command of ``psa results`` is about, and saying what must be known of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from psa_tui.errors import ConfigError
from psa_tui.formatting import did_you_mean
from psa_tui.views.messages import print_note, print_warning

if TYPE_CHECKING:
    from pandas import DataFrame

    from psa_tui.analysis.figures.study_results import StudyResults


def trials_of(source: str, study: str | None, results_dir: Path) -> DataFrame:
    """Load the trials of a source; what is missing from them is said on stderr."""
    from psa_tui.analysis.sources import load_trials

    trials = load_trials(source, study, results_dir)
    _warn(trials)
    if trials.empty:
        print_note("no complete trial yet")
    return trials


def study_results_of(source: str, study: str | None, results_dir: Path, zero_r: float | None) -> StudyResults:
    """Load what figures and the page show; what is missing from it is said on stderr. ``zero_r`` is a percentage."""
    from psa_tui.analysis.figures.study_results import load_study_results

    results = load_study_results(source, study, results_dir, fraction(zero_r))
    _warn(results.trials)
    return results


def loops_of(
    source: str, study: str | None, results_dir: Path, shapes: str | None = None, mode: str | None = None
) -> DataFrame:
    """Load the meta-loops of a source, of all shapes and modes or of those asked for."""
    from psa_tui.analysis.sources import load_meta_loops
    from psa_tui.analysis.summary import NOT_A_REPRODUCTION

    loops = load_meta_loops(source, study, results_dir)
    if loops.attrs["quick"]:
        print_warning(f"study {loops.attrs['study']} is {NOT_A_REPRODUCTION}")
    return only(loops, shapes, mode, "meta-loops")


def only(table: DataFrame, shapes: str | None, mode: str | None = None, what: str = "trials") -> DataFrame:
    """Return the rows of the shapes and the mode asked for; one without any is an error."""
    from psa_tui.analysis.shapes import family_of, parse_shape, split_shapes

    entries = split_shapes(shapes) if shapes else []
    networks = [parse_shape(text, table.attrs.get("dataset"), family_of(table)) for text in entries]
    names = [text if found is None else found.short_name for text, found in zip(entries, networks, strict=True)]
    for flag, column, wanted in (("--arch", "architecture", names), ("--mode", "mode", [mode] if mode else [])):
        known = set(table[column].unique())
        for name in wanted:
            if name not in known:
                shown = ", ".join(sorted(known)[:8])
                raise ConfigError(
                    f"{flag} {name}: no {what} of it; there are some of {shown}{did_you_mean(name, known)}"
                )
        if wanted:
            table = table[table[column].isin(wanted)]
    return table


def fraction(percentage: float | None) -> float | None:
    """Return a percentage that a person gave as a fraction."""
    return None if percentage is None else percentage / 100


def _warn(trials: DataFrame) -> None:
    from psa_tui.analysis.summary import notices

    for notice in notices(trials):
        print_warning(notice)
