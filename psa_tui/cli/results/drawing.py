"""What ``psa results plot`` does with its figures: choosing, writing and showing them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path

from rich.text import Text

from psa_tui.analysis.figures.study_results import FigureKind, Results
from psa_tui.analysis.figures.style import FORMATS
from psa_tui.errors import ConfigError
from psa_tui.formatting import printable
from psa_tui.settings import Settings

FIGURES_FOLDER = Path("results/figures")
_TERMINAL_FIGURES = ("regimes", "convergence")
_PIPE_WIDTH = 80


def chosen_figures(
    names: Sequence[str], kinds: Mapping[str, FigureKind[Results]], *, terminal: bool
) -> list[FigureKind[Results]]:
    """Return the figures of ``kinds`` called ``names``, in the order of the set.

    Without names all of them; in a terminal those of a study that are worth it, or all that a run has.

    Raises:
        ConfigError: there is no such figure, or it has no form for the terminal.
    """
    known = {name: figure for name, figure in kinds.items() if not terminal or figure.terminal is not None}
    check_names(names, known, terminal=terminal)
    usual = [name for name in _TERMINAL_FIGURES if terminal and name in known]
    return [figure for name, figure in known.items() if name in (names or usual or known)]


def check_names(names: Sequence[str], known: Collection[str], *, terminal: bool) -> None:
    """Make sure that all of ``names`` are ``known``.

    Raises:
        ConfigError: one is not.
    """
    for name in names:
        if name not in known:
            where = " in a terminal" if terminal else ""
            raise ConfigError(f"figure {printable(name)[:80]}: expected{where} one of {', '.join(known)}")


def chosen_formats(text: str) -> list[str]:
    """Return the file formats named in ``text``, separated by commas.

    Raises:
        ConfigError: one of them is not offered.
    """
    found = list(dict.fromkeys(part.strip().lower() for part in text.split(",")))
    if not set(found) <= set(FORMATS):
        raise ConfigError(f"--format {printable(text)[:80]}: expected {', '.join(FORMATS)}, or several with commas")
    return found


def destinations(
    figures: Sequence[FigureKind[Results]], out: Path, formats: Sequence[str]
) -> list[tuple[FigureKind[Results], list[Path]]]:
    """Return the files in which each figure is written: of the folder ``out``, or ``out`` where it names a file.

    Raises:
        ConfigError: it names a file, and there is more than one figure.
    """
    if out.suffix.lower().removeprefix(".") not in FORMATS:
        return [(figure, [out / f"{figure.name}.{file_format}" for file_format in formats]) for figure in figures]
    if len(figures) != 1:
        raise ConfigError(f"--out {printable(out)}: a file for {len(figures)} figures; name one, or give a folder")
    return [(figures[0], [out])]


def write(figures: Sequence[tuple[FigureKind[Results], list[Path]]], results: Results) -> None:
    """Draw each figure once and write it in all its files, in the format of their names."""
    from psa_tui.analysis.figures.style import figure_style, to_bytes
    from psa_tui.cli.results.printing import write_file

    with figure_style():
        for figure, paths in figures:
            drawn = figure.draw(results)
            for path in paths:
                write_file(path, to_bytes(drawn, path.suffix.lower()[1:]))


def show(figures: Sequence[FigureKind[Results]], results: Results, settings: Settings) -> None:
    """Draw each figure in letters on stdout."""
    _print([partial(figure.terminal, results) for figure in figures if figure.terminal is not None], settings)


def draw_run(
    run: str, names: Sequence[str], out: Path | None, formats: Sequence[str], settings: Settings, *, terminal: bool
) -> None:
    """Draw the figures of a single run called ``names``, or all, into files or in the terminal.

    Raises:
        PsaError: there is no such figure or run, or a file cannot be written.
    """
    from psa_tui.analysis.figures import RUN_FIGURES
    from psa_tui.analysis.run_results import load_run_results
    from psa_tui.views.run_pictures import RUN_PICTURES, run_picture, state_of_run

    folder = settings.get("results_dir")
    if terminal:
        check_names(names, RUN_PICTURES, terminal=True)
        state = state_of_run(folder, run)
        _print(
            [partial(run_picture, name, state) for name in RUN_PICTURES if name in (names or RUN_PICTURES)], settings
        )
        return
    figures = chosen_figures(names, RUN_FIGURES, terminal=False)
    if out is not None:
        destinations(figures, out, formats)
    results = load_run_results(folder, run)
    write(destinations(figures, FIGURES_FOLDER / results.row.run if out is None else out, formats), results)


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
