"""Options that more than one command takes to say which study is meant, each declared once."""

from __future__ import annotations

from typing import Annotated

import typer

Grid = Annotated[
    str | None,
    typer.Option(
        metavar="GRID",
        help="published (98 shapes, six modes), first (59, four), a file of shapes, or a list: 8*8,18*18.",
    ),
]
Modes = Annotated[
    str | None, typer.Option(metavar="LIST", help="Modes, such as none,full,output (default: those of the grid).")
]
Trials = Annotated[int | None, typer.Option(metavar="N", min=1, max=10_000, help="Trials of each shape and mode.")]
MetaLoops = Annotated[int | None, typer.Option(metavar="N", min=1, max=1_000_000, help="Meta-loops of each trial.")]
Seed = Annotated[
    int | None,
    typer.Option(metavar="N", min=0, max=2**63 - 1, help="Seed of the study; every trial's follows from it."),
]
Study = Annotated[str | None, typer.Option("--study", metavar="NAME", help="The study's name.")]
Workers = Annotated[
    int | None, typer.Option(metavar="N", min=1, max=1024, help="Worker processes (default: one a core, or a GPU).")
]
