"""What ``psa results plot`` does with its figures: choosing, writing and showing them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from psa_tui.analysis.figures import FIGURES
from psa_tui.analysis.figures.study_results import FigureKind, StudyResults
from psa_tui.analysis.figures.style import FORMATS
from psa_tui.errors import ConfigError
from psa_tui.formatting import printable
from psa_tui.settings import Settings

_TERMINAL_FIGURES = ("regimes", "convergence")
_PIPE_WIDTH = 80


def chosen_figures(names: Sequence[str], *, terminal: bool) -> list[FigureKind]:
    """Return the figures called ``names``, in the order of the set; without names all of them, in a terminal two.

    Raises:
        ConfigError: there is no such figure, or it has no form for the terminal.
    """
    known = {name: figure for name, figure in FIGURES.items() if not terminal or figure.terminal is not None}
    for name in names:
        if name not in known:
            where = " in a terminal" if terminal else ""
            raise ConfigError(f"figure {printable(name)[:80]}: expected{where} one of {', '.join(known)}")
    wanted = names or (_TERMINAL_FIGURES if terminal else known)
    return [figure for name, figure in known.items() if name in wanted]


def chosen_formats(text: str) -> list[str]:
    """Return the file formats named in ``text``, separated by commas.

    Raises:
        ConfigError: one of them is not offered.
    """
    found = list(dict.fromkeys(part.strip().lower() for part in text.split(",")))
    if not set(found) <= set(FORMATS):
        raise ConfigError(f"--format {printable(text)[:80]}: expected {' or '.join(FORMATS)}, or both with a comma")
    return found


def write(figures: Sequence[FigureKind], results: StudyResults, folder: Path, formats: Sequence[str]) -> None:
    """Draw each figure once and write it in every format."""
    from psa_tui.analysis.figures.style import figure_style, to_bytes
    from psa_tui.cli.results.printing import write_file

    with figure_style():
        for figure in figures:
            drawn = figure.draw(results)
            for file_format in formats:
                path = folder / f"{figure.name}.{file_format}"
                write_file(path, to_bytes(drawn, file_format))


def show(figures: Sequence[FigureKind], results: StudyResults, settings: Settings) -> None:
    """Draw each figure in letters on stdout, as wide as the terminal (80 columns in a pipe)."""
    from rich.console import Console

    from psa_tui.views.output import draws_in_ascii

    ascii_only = draws_in_ascii(settings)
    console = Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH, highlight=False)
    for index, figure in enumerate(figures):
        if index:
            console.print()
        assert figure.terminal is not None
        console.print(figure.terminal(results, console.width, ascii_only))
