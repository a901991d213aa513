"""``psa results plot``: the figures of a study or of a single run, as files or in the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from psa_tui.cli.completion import names_of
from psa_tui.cli.options import takes_settings
from psa_tui.cli.results import options
from psa_tui.errors import ConfigError
from psa_tui.settings import Settings

_FIGURES = names_of("figure", "run_figure")


@takes_settings("results_dir", "ascii")
def plot(
    settings: Settings,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME", help="Which figures (all); --list names them.", autocompletion=_FIGURES),
    ] = None,
    figure: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="The same as NAME.", autocompletion=_FIGURES)
    ] = None,
    run: options.OneRun = None,
    source: options.Source = "local",
    study: options.Study = None,
    zero_r: options.ZeroR = None,
    out: Annotated[
        str | None,
        typer.Option("--out", "-o", metavar="DIR", help="Where to write the files, or the file of one: curve.pdf."),
    ] = None,
    formats: Annotated[str, typer.Option("--format", metavar="KINDS", help="png, svg, pdf, or several.")] = "png,svg",
    terminal: Annotated[
        bool, typer.Option("--terminal", help="Draw in the terminal (default: the regimes and the curves).")
    ] = False,
    list_names: Annotated[bool, typer.Option("--list", help="Print the figures' names.")] = False,
) -> None:
    """Draw the design space, the six maps, the convergence curves and the late breakthroughs.

    With --run the accuracy and the loss of a single run by meta-loop, what ablating each unit gained, and the gains.
    The same data give the same files, byte for byte. Figures of meta-loops need a source that has them.
    """
    from psa_tui.analysis.figures import FIGURES, RUN_FIGURES
    from psa_tui.cli.results import drawing
    from psa_tui.cli.results.figure_choice import check_place, chosen_figures, chosen_formats
    from psa_tui.cli.results.loading import study_results_of
    from psa_tui.views.messages import print_note

    wanted, kinds, place = [*(names or []), *(figure or [])], chosen_formats(formats), Path(out) if out else None
    if list_names:
        print("\n".join(FIGURES if run is None else RUN_FIGURES))
        return
    if run is not None:
        if source != "local" or study is not None or zero_r is not None:
            raise ConfigError("--run is about a single run: --source, --study and --zero-r do not go with it")
        if terminal:
            drawing.show_run(run, wanted, settings)
        else:
            drawing.write_run(run, wanted, place, kinds, settings)
        return
    chosen = chosen_figures(wanted, FIGURES, terminal=terminal)
    check_place(chosen, place or drawing.FOLDER)
    results = study_results_of(source, study, settings.get("results_dir"), zero_r)
    drawable = [kind for kind in chosen if results.loops is not None or not kind.needs_loops]
    skipped = [kind.name for kind in chosen if kind not in drawable]
    if skipped:
        print_note(f"not drawn: {', '.join(skipped)}; {results.no_loops}")
    if terminal:
        drawing.show(drawable, results, settings)
    else:
        drawing.write(drawable, results, place or drawing.FOLDER, kinds)
    if not drawable:
        raise typer.Exit(1)
