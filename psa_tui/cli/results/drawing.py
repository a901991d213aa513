"""What ``psa results plot`` does with its figures: writing and showing them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from rich.text import Text

from psa_tui.analysis.figures.study_results import FigureKind, Results
from psa_tui.cli.results.figure_choice import check_names, check_place, chosen_figures, files_of
from psa_tui.formatting import printable
from psa_tui.settings import Settings

FOLDER = Path("results/figures")
_PIPE_WIDTH = 80


def write(figures: Sequence[FigureKind[Results]], results: Results, out: Path, formats: Sequence[str]) -> None:
    """Draw each figure once and write it in every format, with its description in words."""
    from psa_tui.analysis.figures.style import figure_style, to_bytes
    from psa_tui.cli.results.printing import write_file

    with figure_style():
        for figure in figures:
            drawn, words = figure.draw(results), printable(figure.describe(results))
            for path in files_of(figure.name, out, formats):
                write_file(path, to_bytes(drawn, path.suffix.lower().removeprefix("."), words))


def show(figures: Sequence[FigureKind[Results]], results: Results, settings: Settings) -> None:
    """Draw each figure in letters on stdout."""
    _print([partial(figure.terminal, results) for figure in figures if figure.terminal is not None], settings)


def write_run(run: str, names: Sequence[str], out: Path | None, formats: Sequence[str], settings: Settings) -> None:
    """Draw the figures of a single run called ``names``, or all of them, into files.

    Raises:
        PsaError: there is no such figure or run, or a file cannot be written.
    """
    from psa_tui.analysis.figures import RUN_FIGURES
    from psa_tui.analysis.run_results import load_run_results

    figures = chosen_figures(names, RUN_FIGURES, terminal=False)
    check_place(figures, out or FOLDER)
    results = load_run_results(settings.get("results_dir"), run)
    write(figures, results, out or FOLDER / results.row.run, formats)


def show_run(run: str, names: Sequence[str], settings: Settings) -> None:
    """Draw the figures of a single run called ``names``, or all, in letters on stdout.

    Raises:
        PsaError: there is no such figure or run.
    """
    from psa_tui.views.run_pictures import RUN_PICTURES, run_picture, state_of_run

    check_names(names, RUN_PICTURES, terminal=True)
    state = state_of_run(settings.get("results_dir"), run)
    wanted = [name for name in RUN_PICTURES if not names or name in names]
    _print([partial(run_picture, name, state) for name in wanted], settings)


def _print(pictures: Sequence[Callable[[int, bool], Text]], settings: Settings) -> None:
    """Print pictures as wide as the terminal, or 80 columns in a pipe."""
    from rich.console import Console

    from psa_tui.views.output import draws_in_ascii

    ascii_only = draws_in_ascii(settings)
    console = Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH, highlight=False)
    for index, picture in enumerate(pictures):
        if index:
            console.print()
        console.print(picture(console.width, ascii_only))
