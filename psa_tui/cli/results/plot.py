"""``psa results plot``: the figures of a study, as files or in the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from psa_tui.cli import options as common
from psa_tui.cli.results import options


def plot(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Which figures (default: all); --list names them.")
    ] = None,
    source: options.Source = "local",
    study: options.Study = None,
    results_dir: common.ResultsDir = None,
    zero_r: options.ZeroR = None,
    out: Annotated[str, typer.Option(metavar="DIR", help="Where to write the files.")] = "results/figures",
    formats: Annotated[str, typer.Option("--format", metavar="KINDS", help="png, svg, or both.")] = "png,svg",
    terminal: Annotated[
        bool, typer.Option("--terminal", help="Draw in the terminal (default: the regimes and the curves).")
    ] = False,
    ascii: common.Ascii = None,
    list_names: Annotated[bool, typer.Option("--list", help="Print the figures' names.")] = False,
) -> None:
    """Draw the design space, the six maps, the convergence curves and the late breakthroughs.

    The same data give the same files, byte for byte. Figures of meta-loops need a source that has them.
    """
    from psa_tui.cli.output import print_note, print_warning
    from psa_tui.cli.results import drawing

    chosen = drawing.chosen_figures(names or [], terminal=terminal)
    kinds = drawing.chosen_formats(formats)
    if list_names:
        print("\n".join(figure.name for figure in drawing.chosen_figures([], terminal=False)))
        return

    from psa_tui.analysis.figures.study_results import load_material
    from psa_tui.analysis.summary import notices
    from psa_tui.cli.results.loading import results_folder

    material = load_material(source, study, results_folder(results_dir), None if zero_r is None else zero_r / 100)
    for notice in notices(material.trials):
        print_warning(notice)
    drawable = [figure for figure in chosen if material.loops is not None or not figure.needs_loops]
    skipped = [figure.name for figure in chosen if figure not in drawable]
    if skipped:
        print_note(f"not drawn: {', '.join(skipped)}; {material.no_loops}")
    if terminal:
        drawing.show(drawable, material, ascii)
    else:
        drawing.write(drawable, material, Path(out), kinds)
    if not drawable:
        raise typer.Exit(1)
