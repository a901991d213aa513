"""Tables for a paper: accuracies with their spread, and architectures with their sizes; Markdown, LaTeX, data."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from psa_tui.analysis.frames import shown_architectures, shown_modes
from psa_tui.analysis.regimes import classify
from psa_tui.analysis.shapes import count_text, shape_sizes, with_sizes
from psa_tui.analysis.summary import NOT_A_REPRODUCTION, cell_statistics
from psa_tui.analysis.typeset import latex_cell, latex_table, latex_text, markdown_table, markdown_text
from psa_tui.errors import ConfigError

if TYPE_CHECKING:
    from pandas import DataFrame

UNKNOWN = "N/A"


def parameter_matching(depth: float | None, width: float | None) -> str:
    """Return "asymmetric" for deep and narrow shapes (deeper than wide, and narrower than 5), else "matched".

    "N/A" where depth or width is not known.
    """
    if depth is None or width is None or depth != depth or width != width:
        return UNKNOWN
    return "asymmetric" if depth > width and width < 5 else "matched"


def accuracy_data(trials: DataFrame) -> DataFrame:
    """Return ``cell_statistics`` with ``best`` (no mode of the shape has a higher printed mean) and ``tied``.

    Means are compared as they are printed, in hundredths of a point, so that a table never shows two equal numbers
    of which one is marked.
    """
    cells = cell_statistics(trials)
    cells["best"] = cells["mean_pct"] == cells.groupby("architecture")["mean_pct"].transform("max")
    cells["tied"] = cells["best"] & (cells.groupby("architecture")["best"].transform("sum") > 1)
    return cells


def architecture_data(trials: DataFrame) -> DataFrame:
    """Return one row a shape: ``architecture``, ``depth``, ``width``, ``parameters``, ``matching``, ``regime``."""
    import pandas as pd

    regimes = _regimes(trials)
    sizes = shape_sizes(trials, shown_architectures(trials))
    rows = [(name, parameter_matching(size.depth, size.width), regimes.get(name)) for name, size in sizes.items()]
    table = with_sizes(pd.DataFrame(rows, columns=["architecture", "matching", "regime"]), sizes)
    table["regime"] = table["regime"].astype("object").where(table["regime"].notna(), None)
    return table


def table_data(trials: DataFrame, kind: str) -> DataFrame:
    """Return the numbers behind the table "accuracy" or "architectures", for CSV and Parquet."""
    return accuracy_data(trials) if kind == "accuracy" else architecture_data(trials)


def as_markdown(trials: DataFrame, kind: str) -> str:
    """Return the table as Markdown; the best mode of a shape is bold, and ``=`` marks ties."""
    header, rows = _cells(trials, kind, _markdown_accuracy, markdown_text)
    lines = markdown_table(header, list(map(_is_right, header)), rows)
    return "\n".join([*lines, "", markdown_text(_caption(trials, kind)), ""])


def as_latex(trials: DataFrame, kind: str) -> str:
    """Return the table as LaTeX for booktabs (longtable when it is longer than a page)."""
    header, rows = _cells(trials, kind, _latex_accuracy, latex_cell)
    caption = latex_text(_caption(trials, kind))
    return "\n".join([*latex_table(header, list(map(_is_right, header)), rows, caption, f"tab:psa-{kind}"), ""])


def _cells(
    trials: DataFrame, kind: str, accuracy: Callable[[Any], str], escape: Callable[[str], str]
) -> tuple[list[str], list[list[str]]]:
    if kind == "architectures":
        rows = [
            [escape(row.architecture), count_text(row.parameters), row.matching, row.regime or UNKNOWN]
            for row in architecture_data(trials).itertuples()
        ]
        return ["Shape", "Parameters", "Matching", "Regime"], rows
    modes = shown_modes(trials)
    cells = {(row.architecture, row.mode): row for row in accuracy_data(trials).itertuples()}
    rows = []
    for name, size in shape_sizes(trials, shown_architectures(trials)).items():
        found = [cells.get((name, mode)) for mode in modes]
        numbers = [UNKNOWN if cell is None else accuracy(cell) for cell in found]
        rows.append([escape(name), count_text(size.parameters), *numbers])
    return ["Shape", "Parameters", *(escape(mode.capitalize()) for mode in modes)], rows


def _markdown_accuracy(cell: Any) -> str:
    number = f"{cell.mean_pct:.2f} ± {cell.std_pct:.2f}"
    return (f"**{number}**" if cell.best else number) + (" =" if cell.tied else "")


def _latex_accuracy(cell: Any) -> str:
    mean = rf"\textbf{{{cell.mean_pct:.2f}}}" if cell.best else f"{cell.mean_pct:.2f}"
    return rf"{mean}$\,\pm\,${cell.std_pct:.2f}" + ("$^{=}$" if cell.tied else "")


def _caption(trials: DataFrame, kind: str) -> str:
    quick = f" This study is {NOT_A_REPRODUCTION}." if trials.attrs.get("quick") else ""
    of = f"source {trials.attrs.get('source')}, study {trials.attrs.get('study')}"
    if kind == "architectures":
        return (
            f"Shapes (layers x neurons), {of}. Asymmetric: deeper than wide and narrower than 5 neurons; "
            f"regime N/A: not all six modes have trials.{quick}"
        )
    return (
        f"Best validation accuracy in percent, mean and population standard deviation over trials, {of}. Bold: "
        f"the best mode of a shape; =: several modes share the best mean as printed.{quick}"
    )


def _regimes(trials: DataFrame) -> dict[str, str | None]:
    """Return each shape's regime; none of them where the data set's majority class is not known."""
    try:
        table = classify(trials)
    except ConfigError:
        return {}
    return dict(zip(table["architecture"], table["regime"], strict=True))


def _is_right(column: str) -> bool:
    return column not in ("Shape", "Matching", "Regime")
