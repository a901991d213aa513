"""Options that more than one command takes to say which study is meant and how to work on it, each declared once."""

from __future__ import annotations

from typing import Annotated

import typer

from psa_tui.cli.completion import names_of

Grid = Annotated[
    str | None,
    typer.Option(
        metavar="GRID",
        autocompletion=names_of("grid"),
        help="published (98 shapes, six modes), first (59, four), a file of shapes, or a list: 8*8,18*18.",
    ),
]
Modes = Annotated[
    str | None,
    typer.Option(
        metavar="LIST",
        help="Modes, such as none,full,output (default: those of the grid).",
        autocompletion=names_of("mode"),
    ),
]
Seed = Annotated[
    int | None,
    typer.Option(metavar="N", min=0, max=2**63 - 1, help="Seed of the study; every trial's follows from it."),
]
StudyName = Annotated[
    str | None, typer.Option("--study", metavar="NAME", help="The study's name.", autocompletion=names_of("study"))
]
Study = Annotated[
    str | None,
    typer.Argument(
        metavar="STUDY",
        help="A study file (FILE.toml), or the name of a study that was begun.",
        autocompletion=names_of("study"),
    ),
]
BegunStudy = Annotated[
    str | None,
    typer.Argument(
        metavar="STUDY",
        help="The name of a study that was begun (default: the only one).",
        autocompletion=names_of("study"),
    ),
]
Recipe = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="In place of STUDY: a study file that comes along (psa study recipes).",
        autocompletion=names_of("recipe"),
    ),
]
Name = Annotated[str | None, typer.Option(metavar="NAME", help="The study's name, in place of the file's.")]
Trials = Annotated[int | None, typer.Option(metavar="N", min=1, max=10_000, help="Trials of each shape and mode.")]
MoreTrials = Annotated[
    int | None,
    typer.Option(metavar="N", min=1, max=10_000, help="Trials of each shape and mode; more than it has are added."),
]
MetaLoops = Annotated[int | None, typer.Option(metavar="N", min=1, max=1_000_000, help="Meta-loops of each trial.")]
Workers = Annotated[
    int | None, typer.Option(metavar="N", min=1, max=1024, help="Worker processes (default: one a core, or a GPU).")
]
MaxHours = Annotated[
    float | None,
    typer.Option(metavar="H", min=0.0, help="Stop after so long; cheapest shapes first, so that most get done."),
]
MaxParameters = Annotated[
    int | None,
    typer.Option("--max-params", metavar="N", min=1, help="Leave shapes with more parameters for another time."),
]
On = Annotated[str, typer.Option(metavar="WHERE", help="local, or ray: a Ray cluster.")]
Address = Annotated[str | None, typer.Option(metavar="ADDRESS", help="An existing Ray cluster (default: a local one).")]
