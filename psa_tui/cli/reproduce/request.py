"""Options of the commands that work on a study which may have been begun: unsaid is not the same as a default."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from psa_tui.studies.request import Wish

Study = Annotated[
    str | None, typer.Option("--study", metavar="NAME", help="The study's name (default reproduction, or quick).")
]
Grid = Annotated[
    str | None,
    typer.Option(metavar="GRID", help="published (98 shapes; the default), first (59), a file, or a list: 8*8,18*18."),
]
Modes = Annotated[
    str | None, typer.Option(metavar="LIST", help="Modes, such as none,full,output (default: those of the grid).")
]
Trials = Annotated[
    int | None, typer.Option(metavar="N", min=1, max=10_000, help="Trials of each shape and mode (default 10).")
]
MetaLoops = Annotated[
    int | None, typer.Option(metavar="N", min=1, max=1_000_000, help="Meta-loops of each trial (default 100).")
]
Seed = Annotated[
    int | None,
    typer.Option(metavar="N", min=0, max=2**63 - 1, help="Seed of the study; every trial's follows (default 0)."),
]


def make_wish(
    study: str | None,
    grid: str | None,
    modes: str | None,
    trials: int | None,
    meta_loops: int | None,
    seed: int | None,
    quick: bool = False,
) -> Wish:
    """What the options say, checked as far as it can be without the study.

    Raises:
        ConfigError: a grid or a mode that is none.
    """
    from psa_tui.cli.reproduce.options import parse_modes
    from psa_tui.studies.grids import parse_grid
    from psa_tui.studies.request import Wish

    return Wish(
        name=study,
        shapes=None if grid is None else parse_grid(grid),
        modes=parse_modes(modes, grid) if modes is not None or grid == "first" else None,
        trials=trials,
        meta_loops=meta_loops,
        seed=seed,
        quick=quick,
    )
