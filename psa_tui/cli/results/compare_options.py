"""What ``psa results compare`` compares, and by what."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from psa_tui.cli.completion import names_of


class By(StrEnum):
    """What contrasts are shown by."""

    SHAPE = "shape"


class Accuracy(StrEnum):
    """Which accuracy is compared."""

    VALIDATION = "validation"
    TEST = "test"


Other = Annotated[
    str,
    typer.Option(
        "--with", metavar="SOURCE", help="What to compare with: as --source.", autocompletion=names_of("source")
    ),
]
OtherStudy = Annotated[
    str | None,
    typer.Option(
        "--with-study", metavar="NAME", help="Which study of it: as --study.", autocompletion=names_of("study")
    ),
]
Within = Annotated[
    bool, typer.Option("--within", help="Compare the ablative and further modes with none, within one source.")
]
_CONTRASTS = "Contrasts of modes, within --source"
Pool = Annotated[
    bool, typer.Option("--pool", help="Modes beside none, pooled over all shapes.", rich_help_panel=_CONTRASTS)
]
Contrast = Annotated[
    list[str] | None,
    typer.Option(
        metavar='"A - B"',
        help="Two modes, pooled over all shapes; repeat it for a family (default: full, hidden, output - none).",
        rich_help_panel=_CONTRASTS,
    ),
]
ByShape = Annotated[By | None, typer.Option(help="Each contrast shape by shape, too.", rich_help_panel=_CONTRASTS)]
Of = Annotated[
    Accuracy,
    typer.Option(
        "--of", help="Of contrasts: the best on validation images, or on test images.", rich_help_panel=_CONTRASTS
    ),
]
Bar = Annotated[
    float | None,
    typer.Option(
        metavar="PERCENT",
        min=0,
        max=100,
        help="Accuracy above which a trial has escaped (default: majority class + 15).",
    ),
]
Margin = Annotated[
    float, typer.Option(metavar="POINTS", min=0.01, max=100, help="Difference that is as good as none, for TOST.")
]
