"""``psa results plot``: the figures of a study, as files or in the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from psa_tui.cli.options import takes_settings
from psa_tui.cli.results import options
from psa_tui.settings import Settings


@takes_settings("results_dir", "ascii")
def plot(
    settings: Settings,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Which figures (default: all); --list names them.")
    ] = None,
    source: options.Source = "local",
    study: options.Study = None,
    zero_r: options.ZeroR = None,
    out: Annotated[str, typer.Option(metavar="DIR", help="Where to write the files.")] = "results/figures",
    formats: Annotated[str, typer.Option("--format", metavar="KINDS", help="png, svg, or both.")] = "png,svg",
    terminal: Annotated[
        bool, typer.Option("--terminal", help="Draw in the terminal (default: the regimes and the curves).")
    ] = False,
    list_names: Annotated[bool, typer.Option("--list", help="Print the figures' names.")] = False,
) -> None:
    """Draw the design space, the six maps, the convergence curves and the late breakthroughs.

    The same data give the same files, byte for byte. Figures of meta-loops need a source that has them.
    """
    from psa_tui.cli.results import drawing
    from psa_tui.cli.results.loading import study_results_of
    from psa_tui.views.messages import print_note

    chosen = drawing.chosen_figures(names or [], terminal=terminal)
    kinds = drawing.chosen_formats(formats)
    if list_names:
        print("\n".join(figure.name for figure in drawing.chosen_figures([], terminal=False)))
        return
    results = study_results_of(source, study, settings.get("results_dir"), zero_r)
    drawable = [figure for figure in chosen if results.loops is not None or not figure.needs_loops]
    skipped = [figure.name for figure in chosen if figure not in drawable]
    if skipped:
        print_note(f"not drawn: {', '.join(skipped)}; {results.no_loops}")
    if terminal:
        drawing.show(drawable, results, settings)
    else:
        drawing.write(drawable, results, Path(out), kinds)
    if not drawable:
        raise typer.Exit(1)
