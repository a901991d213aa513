"""A forest of contrasts: each shape's difference with its interval, all shapes pooled, and what chance alone does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psa_tui.analysis.contrasts import DECLARED, PLACEBO
from psa_tui.analysis.figures.study_results import FigureKind, StudyResults
from psa_tui.analysis.figures.style import INK, MUTED, PAPER, new_figure
from psa_tui.analysis.text_tables import probability
from psa_tui.formatting import points

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from pandas import DataFrame

_ROWS = 16
_PANELS = 3
_ROW_IN = 0.13
_HALF_HIGH = 0.32


def _chosen(results: StudyResults) -> tuple[list[str], list[str]]:
    """Return at most three declared contrasts, and at most 16 shapes: the least stable, in the study's order."""
    table = results.contrasts[results.contrasts["kind"] == DECLARED]
    spread = results.cells.groupby("architecture", sort=False)["std"].max().sort_values(ascending=False, kind="stable")
    compared = set(table["architecture"].dropna())
    least_stable = [name for name in spread.index if name in compared][:_ROWS]
    names = list(dict.fromkeys(table["contrast"]))[:_PANELS]
    return names, [name for name in results.shapes.index if name in least_stable]


def _placebo(results: StudyResults) -> DataFrame:
    """Return the pooled A/A comparisons that have an interval."""
    table = results.contrasts
    return table[(table["kind"] == PLACEBO) & table["architecture"].isna() & table["low"].notna()]


def _draw(results: StudyResults) -> Figure:
    from matplotlib.ticker import MaxNLocator

    contrasts, shapes = _chosen(results)
    placebos = _placebo(results).head(1)
    figure = new_figure(0.97 + _ROW_IN * (len(shapes) + 2))
    height = figure.get_figheight()
    figure.text(0.02, 1 - 0.05 / height, "Contrasts by shape", fontsize=8, weight="bold", va="top")
    every = results.contrasts["shapes"].max() if len(results.contrasts) else 0
    which = f"the {len(shapes)} least stable shapes; " if every > len(shapes) else ""
    words = f"points, 95 % intervals; {which}all {every} pooled; chance (A/A)"
    figure.text(0.02, 1 - 0.2 / height, f"{results.name}\n{words}", fontsize=6, color=MUTED, va="top", linespacing=1.3)
    box = {"top": 1 - 0.7 / height, "bottom": 0.22 / height, "left": 0.17, "right": 0.985, "wspace": 0.08}
    grid = figure.add_gridspec(1, max(len(contrasts), 1), **box)
    if not contrasts:
        axes = figure.add_subplot(grid[0, 0])
        axes.set_axis_off()
        axes.text(0.5, 0.4, "no contrast of an ablative mode with none", ha="center", color=MUTED)
        return figure
    table = results.contrasts
    single = table[table["architecture"].isin(shapes) & table["contrast"].isin(contrasts)]
    widest = 100 * float(single[["low", "high", "difference"]].abs().max(axis=None))
    reach = 1.05 * widest if widest > 0 else 1.0
    # Labels of neighbouring panels must not meet.
    ticks = [tick for tick in MaxNLocator(4).tick_values(-reach, reach) if abs(tick) <= 0.8 * reach]
    for index, contrast in enumerate(contrasts):
        axes = figure.add_subplot(grid[0, index])
        rows = single[single["contrast"] == contrast].set_index("architecture")
        pooled = table[(table["contrast"] == contrast) & table["architecture"].isna()].iloc[0]
        _panel(axes, results, rows, pooled, placebos, shapes)
        axes.set_xlim(-reach, reach)
        axes.set_xticks(ticks)
        axes.set_title(contrast, loc="left", pad=10)
        p = f"{points(pooled['difference'])} (p {probability(pooled['p_corrected'])})"
        axes.text(0, 1.01, p, transform=axes.transAxes, fontsize=5.5, color=MUTED, va="bottom")
        if index:
            axes.tick_params(labelleft=False)
    return figure


def _panel(
    axes: Axes, results: StudyResults, rows: DataFrame, pooled: Any, placebos: DataFrame, shapes: list[str]
) -> None:
    """Draw a contrast: a shape a row from the top, then the diamond of all, then that of an A/A comparison."""
    variant = next(one for one in results.variants if pooled["contrast"].startswith(f"{one.name} - "))
    for place, name in enumerate(shapes):
        if name not in rows.index:
            continue
        row = rows.loc[name]
        axes.plot([100 * row["low"], 100 * row["high"]], [place, place], color=variant.colour, linewidth=0.9)
        axes.plot(100 * row["difference"], place, marker=variant.marker, color=variant.colour, markersize=2.6)
    labels = [*shapes, "pooled"]
    _diamond(axes, pooled, len(shapes), variant.colour, variant.colour)
    for row in placebos.to_dict("records"):
        _diamond(axes, row, len(labels), PAPER, INK)
        labels.append("A/A")
    axes.axvline(0, color=INK, linewidth=0.6)
    axes.axhline(len(shapes) - 0.5, color=MUTED, linewidth=0.4)
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")


def _diamond(axes: Axes, row: Any, place: int, fill: str, edge: str) -> None:
    low, middle, high = (100 * row[name] for name in ("low", "difference", "high"))
    if low == low:
        x, y = [low, middle, high, middle], [place, place - _HALF_HIGH, place, place + _HALF_HIGH]
        axes.fill(x, y, facecolor=fill, edgecolor=edge, linewidth=0.7, zorder=3)


def _describe(results: StudyResults) -> str:
    table = results.contrasts
    pooled = table[table["architecture"].isna()]
    said = "Contrasts by shape, in points with 95 % intervals."
    if pooled.empty:
        return f"{said} There is none."
    rows = "; ".join(
        f"{row.contrast} {points(row.difference)}"
        + (f" ({points(row.low)} to {points(row.high)})" if row.low == row.low else "")
        + (f", {row.kind}" if row.kind == PLACEBO else "")
        for row in pooled.itertuples()
    )
    return f"{said} Pooled over {int(pooled['shapes'].max())} shapes: {rows}."


CONTRASTS = FigureKind("contrasts", "Contrasts by shape", _draw, _describe)
