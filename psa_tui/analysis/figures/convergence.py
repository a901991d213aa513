"""How the LKG's accuracy grows over the meta-loops, in the shapes whose modes differ most."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from psa_tui.analysis.figures.study_results import MODES, FigureKind, Material
from psa_tui.analysis.figures.style import MODE_COLOURS, MODE_DASHES, MUTED, new_figure
from psa_tui.analysis.figures.terminal import letter_curves
from psa_tui.analysis.trajectories import trajectories
from psa_tui.formatting import percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PANELS = 6
_TERMINAL_PANELS = 2
_BAND = "bands: 10 % to 90 % of the trials"


def panel_shapes(material: Material) -> list[str]:
    """The shapes shown: at most six with meta-loops, those whose modes' mean accuracies lie furthest apart first."""
    assert material.loops is not None
    means = material.shapes[[f"mean_{mode}" for mode in MODES]]
    spread = (means.max(axis=1) - means.min(axis=1)).sort_values(ascending=False, kind="stable")
    followed = set(material.loops["architecture"])
    return [name for name in spread.index if name in followed][:_PANELS]


def _draw(material: Material) -> Figure:
    from matplotlib.ticker import MaxNLocator

    assert material.loops is not None
    names = panel_shapes(material)
    rows = -(-len(names) // 2)
    figure = new_figure(0.95 + 1.05 * rows)
    height = figure.get_figheight()
    grid = figure.add_gridspec(
        rows, 2, left=0.12, right=0.98, top=1 - 0.6 / height, bottom=0.55 / height, hspace=0.42, wspace=0.22
    )
    figure.text(0.02, 1 - 0.05 / height, "LKG accuracy over the meta-loops", fontsize=8, weight="bold", va="top")
    which = "the shapes whose modes differ most; " if len(names) == _PANELS else ""
    figure.text(0.02, 1 - 0.2 / height, f"{material.name}; mean of trials", fontsize=6, color=MUTED, va="top")
    figure.text(0.02, 1 - 0.31 / height, f"{which}{_BAND}", fontsize=6, color=MUTED, va="top")
    curves = trajectories(material.loops[material.loops["architecture"].isin(names)], "lkg_accuracy")
    handles = {}
    for index, name in enumerate(names):
        axes = figure.add_subplot(grid[index // 2, index % 2])
        axes.set_title(name, loc="left", pad=2)
        for mode in MODES:
            curve = curves[(curves["architecture"] == name) & (curves["mode"] == mode)]
            if curve.empty:
                continue
            x, colour = curve["meta_loop"], MODE_COLOURS[mode]
            axes.fill_between(x, 100 * curve["low"], 100 * curve["high"], color=colour, alpha=0.1, linewidth=0)
            (handles[mode],) = axes.plot(
                x, 100 * curve["value"], color=colour, linestyle=MODE_DASHES[mode], linewidth=1, label=mode
            )
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(4))
        axes.margins(x=0.01)
        if material.majority is not None:
            axes.axhline(100 * material.majority, color=MUTED, linewidth=0.5, linestyle=":")
    figure.supxlabel("meta-loop", fontsize=7, y=0.27 / height)
    figure.supylabel("validation accuracy of the LKG (%)", fontsize=7, x=0.005)
    shown = [handles[mode] for mode in MODES if mode in handles]
    figure.legend(handles=shown, loc="lower center", ncol=6, columnspacing=0.9, handlelength=1.8, borderaxespad=0.2)
    return figure


def _terminal(material: Material, width: int, ascii_only: bool) -> Text:
    assert material.loops is not None
    names = panel_shapes(material)[:_TERMINAL_PANELS]
    curves = trajectories(material.loops[material.loops["architecture"].isin(names)], "lkg_accuracy")
    text = Text(f"LKG accuracy over the meta-loops, mean of trials ({material.name})")
    for name in names:
        chosen = curves[curves["architecture"] == name]
        series = {
            mode: (cell["meta_loop"].to_numpy(), 100 * cell["value"].to_numpy())
            for mode, cell in chosen.groupby("mode", sort=False)
        }
        text.append("\n\n").append_text(letter_curves(name, series, width, ascii_only))
    return text


def _describe(material: Material) -> str:
    assert material.loops is not None
    said = []
    for name in panel_shapes(material):
        row = material.shapes.loc[name]
        known = {mode: row[f"mean_{mode}"] for mode in MODES if row[f"mean_{mode}"] == row[f"mean_{mode}"]}
        said.append(f"{name}: " + ", ".join(f"{mode} {percent(mean)}" for mode, mean in known.items()))
    return "LKG accuracy over the meta-loops. Mean over trials by mode; the last values are " + "; ".join(said) + "."


CONVERGENCE = FigureKind("convergence", "LKG accuracy over the meta-loops", _draw, _describe, True, _terminal)
