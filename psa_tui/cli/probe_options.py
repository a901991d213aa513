"""Options of ``psa probe``."""

from __future__ import annotations

from typing import Annotated

import typer

from psa_tui.cli.completion import names_of
from psa_tui.settings import LARGEST_SEED

Checkpoints = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="CHECKPOINT",
        help="Names of runs, files, or folders with a run (default: that of --model-dir).",
        autocompletion=names_of("checkpoint"),
    ),
]
Kill = Annotated[
    str | None,
    typer.Option(metavar="NUMBERS", help="How many hidden units to zero: 1..10 (default), 0..64:8 or 1,2,5."),
]
Noise = Annotated[
    str | None,
    typer.Option(
        metavar="LEVELS",
        help="Gaussian noise on all weights instead, in root mean squares of each tensor: 0.01,0.03,0.1, or auto "
        "(0.01,0.03,0.1,0.3,1).",
    ),
]
Draws = Annotated[int, typer.Option(metavar="N", min=1, max=100_000, help="Random draws at each of them.")]
Seed = Annotated[int, typer.Option(metavar="N", min=0, max=LARGEST_SEED, help="Seed of the draws.")]
Out = Annotated[str | None, typer.Option("--out", "-o", metavar="FILE", help="Also write a figure: .svg, .png, .pdf.")]
OnTerminal = Annotated[bool, typer.Option("--terminal", help="Also draw the figure in the terminal.")]
