"""``psa reproduce generate``: the study as commands, printed and as a script."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from psa_tui.cli.options import HYPERPARAMETER_OPTIONS, takes_settings
from psa_tui.cli.study import options
from psa_tui.settings import Settings

_HEAD = 12
"""Lines that a terminal shows; a pipe or a file gets all of them."""


@takes_settings("network", *HYPERPARAMETER_OPTIONS, "dataset", "model_dir", dataset="mnist")
def generate(
    settings: Settings,
    grid: options.Grid = "first",
    modes: options.Modes = None,
    trials: options.Trials = 1,
    meta_loops: options.MetaLoops = 100,
    seed: options.Seed = 0,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE", help="Where the script goes.", rich_help_panel="Output")
    ] = Path("run_reproduction.sh"),
) -> None:
    """Print the command of every trial, by shape, and write a script that runs them all.

    Each trial has its own model folder. The script stops at an error; started again, it goes on where it stopped.
    psa reproduce run does the same work many times faster, because trials of a shape train together.
    """
    from psa_tui.studies.generate import format_commands, format_script, summarise, trial_commands, write_script
    from psa_tui.studies.request import StudyRequest, new_study
    from psa_tui.views.messages import print_note

    request = StudyRequest(grid=grid, modes=modes, trials=trials, meta_loops=meta_loops, seed=seed)
    spec = new_study(request, settings)
    commands = trial_commands(spec, settings.get("model_dir") / "reproduction")
    write_script(out, format_script(spec, commands))
    typer.echo(f"# {summarise(spec)}")
    lines = list(format_commands(commands))
    shown = lines[:_HEAD] if sys.stdout.isatty() else lines
    for line in shown:
        typer.echo(line)
    if len(shown) < len(lines):
        print_note(
            f"that is the beginning of {len(lines)} lines; psa reproduce generate > commands.txt has all of them"
        )
    print_note(f"{out} runs all of them, one after the other; psa reproduce plan says how long that takes")
