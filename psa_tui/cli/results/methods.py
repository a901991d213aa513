"""``psa results methods``: a methods paragraph and a checklist for a paper."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from psa_tui.cli.options import takes_settings
from psa_tui.cli.results import options
from psa_tui.settings import Settings


class TextFormat(StrEnum):
    """How the text is written."""

    MARKDOWN = "markdown"
    LATEX = "latex"


@takes_settings("results_dir")
def methods(
    settings: Settings,
    form: Annotated[TextFormat, typer.Option("--format", help="How to write it.")] = TextFormat.MARKDOWN,
    source: options.Source = "local",
    study: options.Study = None,
    out: options.Out = None,
) -> None:
    """Write a methods paragraph and a checklist from what the study recorded, on stdout or to --out.

    Data, seeds, versions, compute, registration, deviations, missing trials, selection on the validation images, and
    what was not found. What is not recorded is said to be so.
    """
    from psa_tui.analysis.design.methods import methods
    from psa_tui.analysis.design.methods_text import methods_latex, methods_markdown
    from psa_tui.cli.results.loading import trials_of
    from psa_tui.cli.results.printing import write_file

    folder = settings.get("results_dir")
    trials = trials_of(source, study, folder)
    found = methods(trials, Path(source) if source.endswith(".sqlite") else folder)
    content = (methods_latex if form is TextFormat.LATEX else methods_markdown)(found).encode()
    if out is None:
        sys.stdout.buffer.write(content)
    else:
        write_file(Path(out), content)
