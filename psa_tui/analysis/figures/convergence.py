"""How the LKG's accuracy grows over the meta-loops, in the shapes whose modes differ most."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from psa_tui.analysis.figures.study_results import FigureKind, StudyResults
from psa_tui.analysis.figures.style import MUTED, legend_columns, new_figure
from psa_tui.analysis.figures.terminal import letter_curves
from psa_tui.analysis.trajectories import trajectories
from psa_tui.formatting import percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

_PANELS = 6
_TERMINAL_PANELS = 2
_LEGEND_ROW_IN = 0.12
_SPREAD = "10 % to 90 % of the trials"
_MOST_BANDS = 3
"""More of them cover each other and the curves: then the spread stands at the end, a bar a mode."""
_BAR = 0.022
"""Between two bars, of the length of the curves."""


def panel_shapes(results: StudyResults) -> list[str]:
    """Return at most six shapes with meta-loops, those whose modes' mean accuracies lie furthest apart first."""
    assert results.loops is not None
    means = results.shapes[[f"mean_{mode}" for mode in results.modes]]
    spread = (means.max(axis=1) - means.min(axis=1)).sort_values(ascending=False, kind="stable")
    followed = set(results.loops["architecture"].unique())
    return [name for name in spread.index if name in followed][:_PANELS]


def _curves(results: StudyResults, names: list[str]) -> DataFrame:
    assert results.loops is not None
    return trajectories(results.loops[results.loops["architecture"].isin(names)], "lkg_accuracy")


def _draw(results: StudyResults) -> Figure:
    from matplotlib.ticker import MaxNLocator

    assert results.loops is not None
    names = panel_shapes(results)
    curves = _curves(results, names)
    shown = [variant for variant in results.variants if variant.name in set(curves["mode"])]
    columns, more = legend_columns(shown, 6)
    rows = -(-len(names) // 2)
    legend_in = _LEGEND_ROW_IN * more
    # A row alone is higher, so that the words beside it have room.
    figure = new_figure(0.95 + (1.05 * rows if rows > 1 else 1.5) + legend_in)
    height = figure.get_figheight()
    bottom, top = (0.55 + legend_in) / height, 1 - 0.6 / height
    grid = figure.add_gridspec(rows, 2, left=0.12, right=0.98, top=top, bottom=bottom, hspace=0.42, wspace=0.22)
    has_bands = len(shown) <= _MOST_BANDS
    spread = f"{'bands' if has_bands else 'bars, after the last loop'}: {_SPREAD}"
    figure.text(0.02, 1 - 0.05 / height, "LKG accuracy over the meta-loops", fontsize=8, weight="bold", va="top")
    which = "the shapes whose modes differ most; " if len(names) == _PANELS else ""
    figure.text(0.02, 1 - 0.2 / height, f"{results.name}; mean of trials", fontsize=6, color=MUTED, va="top")
    figure.text(0.02, 1 - 0.31 / height, f"{which}{spread}", fontsize=6, color=MUTED, va="top")
    handles = {}
    for index, name in enumerate(names):
        axes = figure.add_subplot(grid[index // 2, index % 2])
        axes.set_title(name, loc="left", pad=2)
        for place, variant in enumerate(shown, start=2):
            curve = curves[(curves["architecture"] == name) & (curves["mode"] == variant.name)]
            if curve.empty:
                continue
            x, colour = curve["meta_loop"], variant.colour
            low, high = 100 * curve["low"], 100 * curve["high"]
            if has_bands:
                axes.fill_between(x, low, high, color=colour, alpha=0.1, linewidth=0)
            else:
                beside = x.iloc[-1] + (x.iloc[-1] - x.iloc[0]) * _BAR * place
                axes.vlines(beside, low.iloc[-1], high.iloc[-1], colors=colour, linewidth=0.9)
                axes.plot(beside, 100 * curve["value"].iloc[-1], color=colour, marker=variant.marker, markersize=2)
            (handles[variant],) = axes.plot(
                x, 100 * curve["value"], color=colour, linestyle=variant.dashes, linewidth=1, label=variant.name
            )
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(4))
        axes.margins(x=0.01)
        if results.majority is not None:
            axes.axhline(100 * results.majority, color=MUTED, linewidth=0.5, linestyle=":")
    figure.supxlabel("meta-loop", fontsize=7, y=(0.27 + legend_in) / height)
    figure.supylabel("accuracy of the LKG (%)", fontsize=7, x=0.005, y=(bottom + top) / 2)
    figure.legend(
        handles=[handles[variant] for variant in shown],
        loc="lower center",
        ncol=columns,
        columnspacing=0.9,
        handlelength=1.8,
        borderaxespad=0.2,
    )
    return figure


def _terminal(results: StudyResults, width: int, ascii_only: bool) -> Text:
    assert results.loops is not None
    names = panel_shapes(results)[:_TERMINAL_PANELS]
    curves = _curves(results, names)
    text = Text(f"LKG accuracy over the meta-loops, mean of trials ({results.name})")
    for name in names:
        chosen = curves[curves["architecture"] == name]
        series = {
            mode: (cell["meta_loop"].to_numpy(), 100 * cell["value"].to_numpy())
            for mode, cell in chosen.groupby("mode", sort=False)
        }
        text.append("\n\n").append_text(letter_curves(name, results.variants, series, width, ascii_only))
    return text


def _describe(results: StudyResults) -> str:
    names = panel_shapes(results)
    curves = _curves(results, names)
    last = curves.sort_values("meta_loop", kind="stable").groupby(["architecture", "mode"])["value"].last().dropna()
    said = []
    for name in names:
        known = [f"{mode} {percent(last[name, mode])}" for mode in results.modes if (name, mode) in last.index]
        said.append(f"{name}: " + ", ".join(known))
    return "LKG accuracy over the meta-loops. Mean over trials by mode; the last values are " + "; ".join(said) + "."


CONVERGENCE = FigureKind("convergence", "LKG accuracy over the meta-loops", _draw, _describe, True, _terminal)
