"""``psa study recipes``: the study files that come along."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from psa_tui.cli.completion import names_of


def recipes(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="Print this one's file, to be changed.",
            show_default=False,
            autocompletion=names_of("recipe"),
        ),
    ] = None,
) -> None:
    """List the recipes, or print one: psa study recipes controls > mine.toml is a study of one's own to begin with."""
    from psa_tui.formatting import count
    from psa_tui.studies.study_file import load_recipe, recipe_names, recipe_text
    from psa_tui.views.wrapping import write_lines

    if name is not None:
        typer.echo(recipe_text(name), nl=False)
        return
    for one in recipe_names():
        found = load_recipe(one)
        trials = sum(len(spec.networks) * len(spec.variants) * spec.trials for spec in found.studies)
        loops = max(spec.meta_loops for spec in found.studies)
        size = f"{'':<18}{count(trials, 'trial')} of {count(loops, 'meta-loop')}"
        write_lines(sys.stdout, [f"{one:<18}{found.about}", size])
