"""Maps of the shapes: depth over width, both by powers of two, with the square shapes once more in a row below.

A map sorts every shape into one kind, which has a marker, a colour and a letter, so it reads in colour, in grey and
in a terminal alike. A map of a quantity colours its markers by the quantity. Square shapes lie too close together on
the plane to be told apart, so a strip below shows them one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psa_tui.analysis.figures.labels import place_labels
from psa_tui.analysis.figures.study_results import FigureKind, StudyResults
from psa_tui.analysis.figures.style import INK, MUTED, new_figure
from psa_tui.analysis.figures.terminal import letter_map

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure
    from pandas import DataFrame, Series
    from rich.text import Text

_HEIGHT_IN = 4.15
_MARKER_PT = 3.6
_FEW_SQUARES = 8


@dataclass(frozen=True, slots=True)
class Kind:
    """A class of shapes: its name in the legend, and how it is drawn."""

    name: str
    marker: str
    letter: str
    colour: str = MUTED


UNKNOWN = Kind("not known", "x", "?")


@dataclass(frozen=True, slots=True)
class Quantity:
    """What colours a map's markers: a number a shape, how it is scaled, and the words beside the colour bar."""

    values: Series[float]
    words: str
    colours: str
    norm: Normalize
    ticks: dict[float, str]


@dataclass(frozen=True)
class ShapeMap:
    """A map: which kind each shape is, perhaps a quantity, and which shapes to name first."""

    name: str
    title: str
    kinds: tuple[Kind, ...]
    """In the order of the legend; others that ``sort`` finds come after them."""
    sort: Callable[[StudyResults], list[Kind]]
    quantity: Callable[[StudyResults], Quantity] | None = None
    named_first: Callable[[StudyResults], Sequence[str]] | None = None
    labels: int = 12
    remark: Callable[[StudyResults], str] | None = None

    @property
    def figure(self) -> FigureKind[StudyResults]:
        """The map as one of the figures."""
        return FigureKind(self.name, self.title, self.draw, self.describe, terminal=self.terminal)

    def draw(self, results: StudyResults) -> Figure:
        """Draw the figure; call it within ``figure_style``."""
        figure = new_figure(_HEIGHT_IN)
        kinds = self.sort(results)
        shapes = results.plane
        plane = figure.add_axes((0.125, 0.245, 0.855, 0.67))
        figure.text(0.02, 0.985, self.title, fontsize=8, weight="bold", va="top")
        figure.text(0.02, 0.948, _heading(results), fontsize=6, color=MUTED, va="top")
        if shapes.empty:
            plane.set_axis_off()
            return figure
        quantity = self.quantity(results) if self.quantity is not None else None
        _frame_plane(plane, shapes)
        _scatter(plane, shapes["width"], shapes["depth"], kinds, quantity)
        squares = shapes[shapes["depth"] == shapes["width"]].sort_values("depth")
        if len(squares) >= _FEW_SQUARES:
            _strip(figure.add_axes((0.125, 0.085, 0.855, 0.06)), squares, shapes, kinds, quantity)
        self._legend(plane, kinds)
        if quantity is not None:
            _colour_bar(figure, plane, quantity)
        first = list(self.named_first(results)) if self.named_first is not None else []
        order = [name for name in dict.fromkeys([*first, *shapes.index]) if name in shapes.index]
        points = [(float(shapes.at[n, "width"]), float(shapes.at[n, "depth"]), n) for n in order]
        if len(squares) >= _FEW_SQUARES:
            points = [point for point in points if point[0] != point[1] or point[2] in first]
        obstacles = shapes[["width", "depth"]].to_numpy(dtype=float)
        place_labels(plane, points[: self.labels], obstacles, _MARKER_PT * figure.dpi / 72)
        return figure

    def describe(self, results: StudyResults) -> str:
        """Say the map in words: how many shapes are of each kind, and what is remarkable."""
        kinds = self.sort(results)
        said = [f"{self.title}. Map of {len(kinds)} shapes by width and depth."]
        if kinds:
            said.append("; ".join(f"{kind.name}: {kinds.count(kind)}" for kind in self._listed(kinds)) + ".")
            said += [self.remark(results)] if self.remark is not None else []
        if left_out := _left_out(results):
            said.append(f"{left_out.capitalize()}.")
        return " ".join(said)

    def terminal(self, results: StudyResults, width: int, ascii_only: bool) -> Text:
        """Draw the map in letters: one for each kind, two shapes of different kinds in one place as ``*``."""
        found = self.sort(results)
        letters = {kind.letter: f"{kind.name} ({found.count(kind)})" for kind in self._listed(found)}
        title = f"{self.title} ({_heading(results)})"
        return letter_map(title, results.plane, [kind.letter for kind in found], letters, width)

    def _listed(self, found: list[Kind]) -> list[Kind]:
        """Return the kinds that were found, in the order of the legend."""
        known = [kind for kind in found if kind != UNKNOWN]
        return [kind for kind in dict.fromkeys([*self.kinds, *known, UNKNOWN]) if kind in found]

    def _legend(self, axes: Axes, found: list[Kind]) -> None:
        from matplotlib.lines import Line2D

        handles = [
            Line2D([], [], linestyle="", label=f"{kind.name} ({found.count(kind)})", **_marker_style(kind, kind.colour))
            for kind in self._listed(found)
        ]
        axes.legend(handles=handles, loc="upper right", borderaxespad=0.2, handletextpad=0.1, labelspacing=0.35)


def _left_out(results: StudyResults) -> str:
    """Say how many shapes have no place on a map; nothing where all have."""
    count = len(results.shapes) - len(results.plane)
    return f"left out: {count} of unknown depth and width" if count else ""


def _heading(results: StudyResults) -> str:
    return "; ".join(filter(None, (results.name, _left_out(results))))


def _frame_plane(axes: Axes, shapes: DataFrame) -> None:
    low = float(min(shapes["width"].min(), shapes["depth"].min())) / 1.9
    high = float(max(shapes["width"].max(), shapes["depth"].max(), 64)) * 1.6
    while _in_the_way(shapes, low, high):
        high *= 2
    for axis, words in ((axes.xaxis, "width (neurons in each hidden layer)"), (axes.yaxis, "depth (hidden layers)")):
        (axes.set_xscale if axis is axes.xaxis else axes.set_yscale)("log", base=2)
        (axes.set_xlim if axis is axes.xaxis else axes.set_ylim)(low, high)
        ticks = [2**power for power in range(0, 60) if low < 2**power < high]
        step = 1 if len(ticks) <= 8 else 2 if len(ticks) <= 16 else 4
        axis.set_ticks(ticks, [str(tick) if index % step == 0 else "" for index, tick in enumerate(ticks)])
        axis.set_ticks([], minor=True)
        axis.set_label_text(words)
    axes.xaxis.labelpad = axes.yaxis.labelpad = 1
    end = float(max(shapes[["depth", "width"]].min(axis=1)))
    axes.plot([low, end], [low, end], color=MUTED, linewidth=0.4, linestyle=(0, (4, 3)), zorder=0.5)


def _in_the_way(shapes: DataFrame, low: float, high: float) -> bool:
    """Whether a shape stands where the legend (upper right) or the colour bar (right, lower) goes."""
    import numpy as np

    x, y = (np.log(shapes[name] / low) / np.log(high / low) for name in ("width", "depth"))
    return bool(((x > 0.5) & (y > 0.64)).any() or ((x > 0.55) & (y > 0.33) & (y < 0.5)).any())


def _strip(axes: Axes, squares: DataFrame, shapes: DataFrame, kinds: list[Kind], quantity: Quantity | None) -> None:
    """Draw the square shapes in a row, each with its number of layers (and neurons) beneath, in two heights in turn."""
    import pandas as pd

    positions = pd.Series(range(len(squares)), index=squares.index, dtype=float)
    chosen = [kinds[shapes.index.get_loc(name)] for name in squares.index]
    _scatter(axes, positions, pd.Series(0.0, index=squares.index), chosen, quantity)
    axes.set_xlim(-0.7, len(squares) - 0.3)
    axes.set_ylim(-1, 1)
    axes.grid(False)
    axes.set_yticks([])
    axes.set_xticks([])
    for place, depth in enumerate(squares["depth"]):
        axes.text(
            place, -1.4 if place % 2 else -2.3, f"{depth:g}", fontsize=4.6, ha="center", va="center", label="square"
        )
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_title("the square shapes, one by one (layers = neurons)", fontsize=6, color=MUTED, loc="left", pad=-1)


def _scatter(axes: Axes, x: Series[Any], y: Series[Any], kinds: list[Kind], quantity: Quantity | None) -> None:
    import matplotlib
    import numpy as np

    for kind in dict.fromkeys(kinds):
        chosen = np.array([one == kind for one in kinds])
        colours: Any = kind.colour
        if quantity is not None and not _is_crossed(kind):
            values = quantity.values.reindex(x.index)[chosen].to_numpy(dtype=float)
            colours = matplotlib.colormaps[quantity.colours](quantity.norm(values))
        style = _marker_style(kind, colours)
        axes.scatter(
            x[chosen],
            y[chosen],
            s=_MARKER_PT**2,
            marker=style["marker"],
            linewidths=style["markeredgewidth"],
            zorder=3,
            clip_on=False,
            **({"color": colours} if _is_crossed(kind) else {"facecolors": colours, "edgecolors": INK}),
        )


def _is_crossed(kind: Kind) -> bool:
    """Whether the marker has lines only, and so no room for a quantity's colour."""
    return kind.marker in "x+"


def _marker_style(kind: Kind, colour: Any) -> dict[str, Any]:
    crossed = _is_crossed(kind)
    return {
        "marker": kind.marker,
        "markersize": _MARKER_PT,
        "markerfacecolor": colour,
        "markeredgecolor": colour if crossed else INK,
        "markeredgewidth": 0.9 if crossed else 0.35,
    }


def _colour_bar(figure: Figure, plane: Axes, quantity: Quantity) -> None:
    from matplotlib.cm import ScalarMappable

    box = plane.inset_axes((0.6, 0.38, 0.38, 0.022))
    bar = figure.colorbar(ScalarMappable(quantity.norm, quantity.colours), cax=box, orientation="horizontal")
    bar.set_ticks(list(quantity.ticks), labels=list(quantity.ticks.values()))
    bar.minorticks_off()
    bar.ax.tick_params(labelsize=5, pad=1)
    bar.outline.set_linewidth(0.3)
    bar.ax.set_title(quantity.words, fontsize=6, pad=2, loc="left")
