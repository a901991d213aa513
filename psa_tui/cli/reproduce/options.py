"""Options that more than one command of ``psa reproduce`` takes, each declared once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from psa_tui.method.variants import AblationMode

Grid = Annotated[
    str,
    typer.Option(
        metavar="GRID",
        help="first (59 shapes, four modes), published (98, six), a file of shapes, or a list: 8*8,18*18.",
    ),
]
Modes = Annotated[
    str | None, typer.Option(metavar="LIST", help="Modes, such as none,full,output (default: those of the grid).")
]
Trials = Annotated[int, typer.Option(metavar="N", min=1, max=10_000, help="Trials of each shape and mode.")]
MetaLoops = Annotated[int, typer.Option(metavar="N", min=1, max=1_000_000, help="Meta-loops of each trial.")]
Seed = Annotated[
    int, typer.Option(metavar="N", min=0, max=2**63 - 1, help="Seed of the study; every trial's follows from it.")
]
Study = Annotated[str, typer.Option("--study", metavar="NAME", help="The study's name.")]
Workers = Annotated[
    int | None, typer.Option(metavar="N", min=1, max=1024, help="Worker processes (default: one a core, or a GPU).")
]


def parse_modes(text: str | None, grid: str | None) -> tuple[AblationMode, ...]:
    """``none,full`` as modes in their own order; without a text those of the grid: the first study had four.

    Raises:
        ConfigError: a name is no mode, or is there twice.
    """
    from psa_tui.errors import ConfigError
    from psa_tui.method.variants import AblationMode

    if text is None:
        left_out = (AblationMode.DECAY, AblationMode.DROPOUT) if grid == "first" else ()
        return tuple(mode for mode in AblationMode if mode not in left_out)
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in list(AblationMode) or names.count(name) > 1:
            fault = "is there twice" if name in list(AblationMode) else "is no mode"
            raise ConfigError(f"--modes: {name[:40]!r} {fault}; write some of {','.join(AblationMode)}")
    return tuple(mode for mode in AblationMode if mode in names)
