"""Loading what a command of ``psa results`` is about, and saying what must be known of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from psa_tui.cli.output import print_note, print_warning
from psa_tui.errors import ConfigError
from psa_tui.settings import load_settings

if TYPE_CHECKING:
    from pandas import DataFrame


def results_folder(results_dir: str | None) -> Path:
    """The results folder in force."""
    folder: Path = load_settings({"results_dir": results_dir}).get("results_dir")
    return folder


def trials_of(source: str, study: str | None, results_dir: str | None) -> DataFrame:
    """The trials of a source; what is missing from them is said on stderr."""
    from psa_tui.analysis.sources import load_trials
    from psa_tui.analysis.summary import notices

    trials = load_trials(source, study, results_folder(results_dir))
    for notice in notices(trials):
        print_warning(notice)
    if trials.empty:
        print_note("no complete trial yet")
    return trials


def loops_of(
    source: str, study: str | None, results_dir: str | None, shapes: str | None = None, mode: str | None = None
) -> DataFrame:
    """The meta-loops of a source, of all shapes and modes or of those asked for."""
    from psa_tui.analysis.sources import load_meta_loops
    from psa_tui.analysis.summary import NOT_A_REPRODUCTION
    from psa_tui.studies.grids import parse_shape

    loops = load_meta_loops(source, study, results_folder(results_dir))
    if loops.attrs["quick"]:
        print_warning(f"study {loops.attrs['study']} is {NOT_A_REPRODUCTION}")
    wanted = {"architecture": [str(parse_shape(text)) for text in shapes.split(",")] if shapes else []}
    wanted["mode"] = [mode] if mode else []
    for column, names in wanted.items():
        known = set(loops[column])
        for name in names:
            if name not in known:
                flag = "--arch" if column == "architecture" else "--mode"
                shown = ", ".join(sorted(known)[:8])
                raise ConfigError(f"{flag} {name}: no meta-loops of it; there are some of {shown}")
        if names:
            loops = loops[loops[column].isin(names)]
    return loops
