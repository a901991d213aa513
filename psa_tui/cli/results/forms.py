"""In which form the tables of a command are printed: for a screen, or for a paper."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from psa_tui.errors import ConfigError

if TYPE_CHECKING:
    from psa_tui.analysis.text_tables import Text


class TextForm(StrEnum):
    """How findings are printed."""

    TEXT = "text"
    MARKDOWN = "markdown"
    LATEX = "latex"


Form = Annotated[
    TextForm, typer.Option("--format", help="For a screen, or ready to paste into a paper.", rich_help_panel="Output")
]


def check_form(form: TextForm, json: bool) -> None:
    """Refuse two forms at once.

    Raises:
        ConfigError: JSON is wanted, and another form too.
    """
    if json and form is not TextForm.TEXT:
        raise ConfigError(f"--json and --format {form} are two forms of the same; leave one out")


def print_in_form(form: TextForm, name: str, *text: Text) -> None:
    """Print paragraphs and tables on stdout; ``name`` is in the labels of LaTeX."""
    from psa_tui.analysis.typeset import latex, markdown
    from psa_tui.cli.results.printing import print_text

    if form is TextForm.TEXT:
        print_text(*text)
    else:
        sys.stdout.write(markdown(text) if form is TextForm.MARKDOWN else latex(text, name))
