"""Options that more than one command of ``psa results`` takes."""

from __future__ import annotations

from typing import Annotated

import typer

from psa_tui.cli.completion import names_of

Source = Annotated[
    str,
    typer.Option(
        metavar="SOURCE",
        autocompletion=names_of("source"),
        help="local (trained here), fetched (from a bucket), published, or a .csv, .parquet or .sqlite file.",
    ),
]
Study = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="Which study of the source (default: the only one).", autocompletion=names_of("study")
    ),
]
Mode = Annotated[
    str | None,
    typer.Option(metavar="MODE", help="Only this mode (default: all).", autocompletion=names_of("mode")),
]
OneRun = Annotated[
    str | None,
    typer.Option(
        "--run", metavar="RUN", help="The figures of this single run, or of the latest.", autocompletion=names_of("run")
    ),
]
ZeroR = Annotated[
    float | None,
    typer.Option(
        metavar="PERCENT",
        min=0,
        max=100,
        help="Accuracy of always answering the most frequent class (default: that of the study's data set).",
    ),
]
Out = Annotated[
    str | None, typer.Option("--out", "-o", metavar="FILE", help="Where to write the file.", rich_help_panel="Output")
]
Shapes = Annotated[
    str | None,
    typer.Option(
        "--arch",
        metavar="SHAPES",
        help="Only these shapes: 8*8,18*18 (default: all).",
        autocompletion=names_of("shape"),
    ),
]
