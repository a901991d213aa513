"""``psa results table``: tables ready for a paper."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from psa_tui.cli.options import takes_settings
from psa_tui.cli.results import options
from psa_tui.errors import ConfigError
from psa_tui.settings import Settings


class Kind(StrEnum):
    """Which table."""

    ACCURACY = "accuracy"
    ARCHITECTURES = "architectures"


class Format(StrEnum):
    """How it is written."""

    MARKDOWN = "markdown"
    LATEX = "latex"
    CSV = "csv"
    PARQUET = "parquet"


@takes_settings("results_dir")
def table(
    settings: Settings,
    kind: Annotated[Kind, typer.Argument(help="accuracy: mean and std of each mode; architectures: their sizes.")],
    form: Annotated[Format, typer.Option("--format", help="How to write it.")] = Format.MARKDOWN,
    source: options.Source = "local",
    study: options.Study = None,
    out: options.Out = None,
) -> None:
    """Write a table ready to paste, on stdout or to --out.

    accuracy: the best mode of a shape is bold, and = marks modes that share the best mean. architectures: parameters,
    regime, and matched or asymmetric (deeper than wide, and narrower than 5). latex needs booktabs, and longtable for
    more than a page.
    """
    from psa_tui.analysis import tables
    from psa_tui.analysis.export import data_bytes, marked
    from psa_tui.cli.results.loading import trials_of
    from psa_tui.cli.results.printing import write_file

    if form is Format.PARQUET and out is None and sys.stdout.isatty():
        raise ConfigError("--format parquet: not for a terminal; name a file with --out")
    trials = trials_of(source, study, settings.get("results_dir"))
    if form is Format.MARKDOWN:
        content = tables.as_markdown(trials, kind).encode()
    elif form is Format.LATEX:
        content = tables.as_latex(trials, kind).encode()
    else:
        content = data_bytes(marked(tables.table_data(trials, kind), trials), f".{form}")
    if out is None:
        sys.stdout.buffer.write(content)
    else:
        write_file(Path(out), content)
