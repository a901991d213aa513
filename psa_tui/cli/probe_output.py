"""How ``psa probe`` measures until it is stopped, and what it prints and writes."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from psa_tui.errors import PsaError
from psa_tui.machine.signals import LeaveAtOnce, StopRequest
from psa_tui.settings import Settings
from psa_tui.views.messages import print_note
from psa_tui.views.progress_bar import progress_bar

if TYPE_CHECKING:
    from psa_tui.method.probes import Probe
    from psa_tui.runs.probing import Probed


def measured(
    settings: Settings, paths: Sequence[Path], probe: Probe, *, fit: bool
) -> tuple[list[Probed], dict[str, PsaError], Probe]:
    """Return what was found, why other checkpoints could not be measured (by path), and the probe that was made."""
    try:
        with StopRequest() as stop:
            with stop.loading():
                from psa_tui.runs.probing import fitted, load_subjects, measure
            subjects, problems = load_subjects(paths, settings, print_note)
            probe = fitted(probe, subjects, fit=fit)
            with progress_bar("probing", len(subjects) * len(probe.levels) * probe.draws, "draws") as advance:
                return [measure(one, probe, advance) for one in subjects], problems, probe
    except LeaveAtOnce as leave:
        print_note(f"stopped ({leave}); nothing was written")
        raise typer.Exit(leave.exit_code) from None


def print_json(found: Sequence[Probed], problems: Mapping[str, PsaError], probe: Probe) -> None:
    """Print one JSON object: every draw of every checkpoint, and why some could not be measured. Fractions."""
    from psa_tui.analysis.robustness import BAND, robustness_json

    checkpoints = [robustness_json(one, probe) for one in found]
    checkpoints += [{"path": label, "problem": str(problem)} for label, problem in problems.items()]
    content = {"schema": 1, **probe.as_json(), "band": BAND, "checkpoints": checkpoints}
    json.dump(content, sys.stdout, indent=2)
    print()


def print_found(found: Sequence[Probed], probe: Probe, *, curves: bool, ascii_only: bool) -> None:
    """Print the tables and, where ``curves`` says so, the figure in letters."""
    from rich.console import Console

    from psa_tui.analysis.figures.robustness import robustness_letters
    from psa_tui.analysis.robustness_text import robustness_text
    from psa_tui.cli.results.printing import print_text
    from psa_tui.views.tables import PIPE_WIDTH

    is_terminal = sys.stdout.isatty()
    console = Console(width=None if is_terminal else 80, highlight=False)
    print_text(*robustness_text(found, probe, console.width if is_terminal else PIPE_WIDTH))
    if curves:
        console.print()
        console.print(robustness_letters(found, probe, console.width, ascii_only))


def write_figure(found: Sequence[Probed], probe: Probe, path: Path) -> None:
    """Draw the figure and write it, with its text alternative inside."""
    from psa_tui.analysis.figures.robustness import describe_robustness, draw_robustness
    from psa_tui.analysis.figures.style import figure_style, to_bytes
    from psa_tui.cli.results.printing import write_file

    with figure_style():
        figure = draw_robustness(found, probe)
    write_file(path, to_bytes(figure, path.suffix[1:], describe_robustness(found, probe)))
