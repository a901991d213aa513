"""``psa study generate``: a study as commands, printed and as a script."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from psa_tui.cli.options import takes_settings
from psa_tui.cli.study import options
from psa_tui.errors import ConfigError
from psa_tui.settings import Settings

if TYPE_CHECKING:
    from psa_tui.studies.generate import TrialCommand
    from psa_tui.studies.spec import StudySpec

_HEAD = 12
"""Lines that a terminal shows; a pipe or a file gets all of them."""

Out = Annotated[
    Path, typer.Option("--out", "-o", metavar="FILE", help="Where the script goes.", rich_help_panel="Output")
]


@takes_settings("network", "model_dir", "results_dir", network="the study's")
def generate(
    settings: Settings,
    study: options.Study = None,
    recipe: options.Recipe = None,
    name: options.Name = None,
    trials: options.Trials = None,
    meta_loops: options.MetaLoops = None,
    out: Out = Path("run_study.sh"),
) -> None:
    """Print the psa train command of every trial of a study, and write a script that runs them all.

    Each trial has its own model folder, and the seeds that the study gives it. The script stops at an error; started
    again, it goes on where it stopped. psa study run does the same work many times faster.
    """
    from psa_tui.studies.chosen import ChosenStudies
    from psa_tui.studies.generate import trial_commands

    settings.named_network()
    chosen = ChosenStudies(study=study, recipe=recipe, name=name, trials=trials, meta_loops=meta_loops)
    found = chosen.load(settings.get("results_dir"))
    if len(found) > 1:
        raise ConfigError(
            f"these are {len(found)} studies, and a script is of one: write a file of the one that is meant"
        )
    (spec,) = found
    show_commands(spec, trial_commands(spec, settings.get("model_dir") / spec.name), out, "psa study")


def show_commands(spec: StudySpec, commands: Sequence[TrialCommand], out: Path, command: str) -> None:
    """Write the script and print its commands, on a terminal only the first of them.

    Raises:
        PsaError: the script cannot be written.
    """
    from psa_tui.studies.generate import format_commands, format_script, summarise, write_script
    from psa_tui.views.messages import print_note

    write_script(out, format_script(spec, commands))
    typer.echo(f"# {summarise(spec)}")
    lines = list(format_commands(commands))
    shown = lines[:_HEAD] if sys.stdout.isatty() else lines
    for line in shown:
        typer.echo(line)
    if len(shown) < len(lines):
        print_note(f"that is the beginning of {len(lines)} lines; {command} generate > commands.txt has all of them")
    print_note(f"{out} runs all of them, one after the other; {command} plan says how long that takes")
