"""What ``psa results compare`` compares, and by what."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from psa_tui.cli.completion import names_of
from psa_tui.studies.design.plan import Endpoint


class By(StrEnum):
    """What contrasts are shown by."""

    SHAPE = "shape"


class Accuracy(StrEnum):
    """Which accuracy is compared."""

    VALIDATION = Endpoint.VALIDATION
    TEST = Endpoint.TEST


class Measure(StrEnum):
    """What is compared besides escapes."""

    VALIDATION = Endpoint.VALIDATION
    TEST = Endpoint.TEST
    GAIN = Endpoint.GAIN
    HARM = Endpoint.HARM


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
Within = Annotated[bool, typer.Option("--within", help="Compare ablative and further modes with none, in one source.")]
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
_OF_WORDS = "validation: the best; test: the LKG's; gain: over the first LKG; harm: how often candidates are worse."
Of = Annotated[Measure, typer.Option("--of", help=_OF_WORDS)]
OfContrasts = Annotated[Measure, typer.Option("--of", help=_OF_WORDS, rich_help_panel=_CONTRASTS)]
OfAccuracy = Annotated[Accuracy, typer.Option("--of", help="The best on validation images, or the LKG's on test.")]
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
