"""Which figures ``psa results plot`` draws, and into which files."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from psa_tui.analysis.figures.study_results import FigureKind, Results
from psa_tui.analysis.figures.style import FORMATS
from psa_tui.errors import ConfigError, UnknownNameError
from psa_tui.formatting import printable

_TERMINAL_FIGURES = ("regimes", "convergence")


def chosen_figures(
    names: Sequence[str], kinds: Mapping[str, FigureKind[Results]], *, terminal: bool
) -> list[FigureKind[Results]]:
    """Return the figures of ``kinds`` called ``names``, in the order of the set; without names all, in a terminal two.

    Raises:
        ConfigError: there is no such figure, or it has no form for the terminal.
    """
    known = {name: figure for name, figure in kinds.items() if not terminal or figure.terminal is not None}
    check_names(names, known, terminal=terminal)
    wanted = names or (_TERMINAL_FIGURES if terminal else known)
    return [figure for name, figure in known.items() if name in wanted]


def check_names(names: Sequence[str], known: Collection[str], *, terminal: bool) -> None:
    """Make sure that all of ``names`` are ``known`` figures.

    Raises:
        ConfigError: one is not.
    """
    for name in names:
        if name not in known:
            where = "figures in a terminal" if terminal else "figures"
            raise ConfigError(f"{where}: {UnknownNameError(printable(name), known)}")


def chosen_formats(text: str) -> list[str]:
    """Return the file formats named in ``text``, separated by commas.

    Raises:
        ConfigError: one of them is not offered.
    """
    found = list(dict.fromkeys(part.strip().lower() for part in text.split(",")))
    if not set(found) <= set(FORMATS):
        raise ConfigError(f"--format {printable(text)[:80]}: expected {', '.join(FORMATS)}, or several with commas")
    return found


def check_place(figures: Collection[object], out: Path) -> None:
    """Make sure that ``out`` can hold so many figures: the name of a file is for one.

    Raises:
        ConfigError: it is the name of a file, and there are several figures; or that of a file of another format.
    """
    if _is_file(out) and len(figures) != 1:
        raise ConfigError(f"--out {printable(out)}: a file for {len(figures)} figures; name one, or give a folder")
    if len(figures) == 1 and out.suffix and not _is_file(out) and not out.is_dir():
        endings = ", ".join(f".{file_format}" for file_format in FORMATS)
        raise ConfigError(f"--out {printable(out)}: no such folder, and a figure's file ends in {endings}")


def files_of(figure: str, out: Path, formats: Sequence[str]) -> list[Path]:
    """Return the files of a figure: ``out`` where that is the name of a file, else one a format in that folder."""
    return [out] if _is_file(out) else [out / f"{figure}.{file_format}" for file_format in formats]


def _is_file(out: Path) -> bool:
    return out.suffix.lower().removeprefix(".") in FORMATS
