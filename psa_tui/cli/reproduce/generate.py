"""``psa reproduce generate``: the study as commands, printed and as a script."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from psa_tui.cli.options import DatasetName, ModelDir
from psa_tui.cli.reproduce import options
from psa_tui.settings import load_settings


def generate(
    grid: options.Grid = "first",
    modes: options.Modes = None,
    trials: options.Trials = 1,
    meta_loops: options.MetaLoops = 100,
    seed: options.Seed = 0,
    dataset: DatasetName = None,
    model_dir: ModelDir = None,
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where the script goes.")] = Path("run_reproduction.sh"),
) -> None:
    """Print the command of every trial, by shape, and write a script that runs them all.

    Each trial has its own model folder. The script stops at an error; started again, it goes on where it stopped.
    psa reproduce run does the same work many times faster, because trials of a shape train together.
    """
    settings = load_settings({"dataset": dataset, "model_dir": model_dir})

    from psa_tui.cli.output import print_note
    from psa_tui.studies.generate import format_commands, format_script, summarise, trial_commands, write_script
    from psa_tui.studies.grids import parse_grid

    shapes, chosen = parse_grid(grid), options.parse_modes(modes, grid)
    # A reproduction must not take the embedded digits for MNIST just because there is no network.
    data = settings.get("dataset") if settings.is_explicit("dataset") else "mnist"
    models = settings.get("model_dir") / "reproduction"
    commands = trial_commands(shapes, chosen, trials, meta_loops, seed, data, models)
    summary = summarise(shapes, chosen, trials, meta_loops, seed, data)
    write_script(out, format_script(commands, summary))
    typer.echo(f"# {summary}")
    for line in format_commands(commands):
        typer.echo(line)
    print_note(f"{out} runs all of them, one after the other; psa reproduce plan says how long that takes")
