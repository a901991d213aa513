"""What ablations did to a single run's network: the mean gain of every unit, and the histogram of gains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from psa_tui.analysis.figures.run_curves import PROMOTED_COLOUR, ROLLED_BACK_COLOUR, entitle
from psa_tui.analysis.figures.study_results import FigureKind
from psa_tui.analysis.figures.style import INK, MUTED, PAPER, new_figure
from psa_tui.analysis.run_results import RunResults
from psa_tui.analysis.unit_map import UnitMap
from psa_tui.formatting import count, percent, points
from psa_tui.runs.ablation_statistics import GAIN_BINS, GAIN_EDGES, Tally

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLUMNS, _ROWS = 120, 32
"""Marks of the map at most."""
_COLOURS = "PuOr"
"""Orange harms, violet helps."""
_EVEN = 0.1
"""Points up to which the scale of mean gains is linear."""


def _map(results: RunResults) -> Figure:
    from matplotlib.colors import SymLogNorm

    figure = new_figure(2.6)
    entitle(figure, ABLATIONS.title, results)
    axes = figure.add_axes((0.06, 0.24, 0.92, 0.55))
    axes.set_ylabel("units, from the top", labelpad=2)
    axes.set(xticks=[], yticks=[])
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    ablations = results.ablations
    if not ablations.unit_counts:
        _say(axes, "the network's family or its data set is not installed here")
        return figure
    rows = min(max(ablations.unit_counts), _ROWS)
    layout = UnitMap.fitting(ablations.unit_counts, _COLUMNS, rows, _COLUMNS)
    gains, dead = _grids(results, layout)
    most = max(float(np.nanmax(np.abs(gains), initial=0.0)), 10 * _EVEN)
    norm = SymLogNorm(_EVEN, vmin=-most, vmax=most, base=10)
    shape: dict[str, Any] = {
        "aspect": "auto",
        "interpolation": "none",
        "extent": (-0.5, gains.shape[1] - 0.5, rows - 0.5, -0.5),
    }
    image = axes.imshow(gains, cmap=_COLOURS, norm=norm, **shape)
    middle = (layout.mark_width - 1) / 2
    every = ((column, row) for column, height in layout.heights.items() for row in range(height))
    unknown = [(x + middle, y) for x, y in every if np.isnan(gains[y, x]) and (x, y) not in dead]
    if unknown:
        axes.plot(*zip(*unknown, strict=True), ".", color=MUTED, markersize=1.2, markeredgewidth=0, linestyle="none")
    if dead:
        x, y = zip(*((x + middle, y) for x, y in dead), strict=True)
        # Seen on light and dark marks alike.
        axes.plot(x, y, "x", color=PAPER, markersize=2.6, markeredgewidth=1.4, linestyle="none")
        axes.plot(x, y, "x", color=INK, markersize=2, markeredgewidth=0.5, linestyle="none")
    _label_layers(axes, layout)
    bar = figure.colorbar(image, cax=figure.add_axes((0.27, 0.1, 0.4, 0.025)), orientation="horizontal")
    shown = [power for power in (10.0, 1.0, _EVEN) if power <= most]
    ticks = [*(-one for one in shown), 0.0, *reversed(shown)]
    bar.set_ticks(ticks, labels=[f"{tick:+g}" if tick else "0" for tick in ticks])
    bar.minorticks_off()
    bar.ax.tick_params(labelsize=5, pad=1)
    bar.outline.set_linewidth(0.3)
    figure.text(0.25, 0.1125, "mean gain, points", fontsize=6, ha="right", va="center")
    figure.text(0.69, 0.1125, _legend(layout, any_dead=bool(dead)), fontsize=6, color=MUTED, va="center")
    return figure


def _grids(results: RunResults, layout: UnitMap) -> tuple[Any, list[tuple[int, int]]]:
    """Return the mean gain in points [rows, columns], NaN where there is none, and the marks whose units are dead."""
    tallies: dict[tuple[int, int], Tally] = {}
    dead: dict[tuple[int, int], int] = {}
    for unit, tally in results.statistics.units.items():
        if layout.knows(*unit):
            tallies.setdefault(layout.position(*unit), Tally()).merge(tally)
    for unit in results.ablations.dead_units:
        if layout.knows(*unit):
            position = layout.position(*unit)
            dead[position] = dead.get(position, 0) + 1
    gains = np.full((layout.rows, max(layout.heights) + layout.mark_width), np.nan)
    for (column, row), tally in tallies.items():
        if tally.mean_gain is not None:
            gains[row, column : column + layout.mark_width] = 100 * tally.mean_gain
    return gains, [position for position, number in dead.items() if number == layout.units_at(*position)]


def _label_layers(axes: Axes, layout: UnitMap) -> None:
    """Name the layers below, as many as there is room for, the output layer always."""
    starts = list(dict.fromkeys(layout.starts))
    ends = [*(start - 1 for start in starts[1:]), max(layout.heights) + layout.mark_width]
    free, labels = -1.0, []
    for start, end in zip(starts[:-1], ends, strict=False):
        middle = (start + end - 1) / 2
        if middle >= free and middle < starts[-1] - 4:
            labels.append((middle, str(layout.starts.index(start))))
            free = middle + 5
    labels.append(((starts[-1] + ends[-1] - 1) / 2, "out"))
    axes.set_xticks([place for place, _ in labels], [label for _, label in labels])
    axes.tick_params(axis="x", length=0, pad=1)


def _legend(layout: UnitMap, *, any_dead: bool) -> str:
    told = ["· not hit while alive", *(["× dead"] if any_dead else [])]
    if layout.units_a_mark > 1:
        told.append(f"{layout.units_a_mark} units a mark")
    return "\n".join(told)


def _say(axes: Axes, words: str) -> None:
    axes.text(0.5, 0.5, words, transform=axes.transAxes, ha="center", color=MUTED)


def _histogram(results: RunResults) -> Figure:
    from matplotlib.ticker import MaxNLocator

    figure = new_figure(2.6)
    entitle(figure, GAINS.title, results)
    statistics = results.statistics
    kinds = (
        ("promoted", statistics.promoted_gains, PROMOTED_COLOUR),
        ("rolled back", statistics.rolled_back_gains, ROLLED_BACK_COLOUR),
    )
    for place, (name, counts, colour) in enumerate(kinds):
        axes = figure.add_axes((0.115, 0.51 - 0.36 * place, 0.87, 0.26))
        axes.bar(range(GAIN_BINS), counts, width=0.85, color=colour, linewidth=0)
        axes.set_title(f"{name} ({sum(counts):,})", loc="left", pad=2)
        axes.set_xlim(-0.6, GAIN_BINS - 0.4)
        axes.set_ylim(0, max(*counts, 1) * 1.05)
        axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
        axes.grid(visible=False, axis="x")
        _label_bins(axes, with_labels=place == 1)
    figure.supxlabel("points of validation accuracy gained on the LKG", fontsize=7, y=0.01)
    figure.supylabel("candidates", fontsize=7, x=0.005, y=0.48)
    return figure


def _label_bins(axes: Axes, *, with_labels: bool) -> None:
    """Write under the bins where those begin that begin with a power of ten, and the middle one."""
    middle = len(GAIN_EDGES)
    ticks = {float(middle): "0"}
    for place, edge in enumerate(GAIN_EDGES):
        if edge in (0.1, 1.0, 10.0):
            ticks |= {middle + place + 0.5: f"{edge:g}", middle - place - 0.5: f"-{edge:g}"}
    axes.set_xticks(list(ticks), list(ticks.values()) if with_labels else [""] * len(ticks))


def _describe_map(results: RunResults) -> str:
    statistics, ablations = results.statistics, results.ablations
    told = []
    for layer, tally in sorted(statistics.layers.items()):
        gain = "no gain known" if tally.mean_gain is None else f"mean gain {points(tally.mean_gain)} points"
        name = ablations.names.layer(layer)
        told.append(f"{name}: {count(tally.ablated, 'loop')}, {tally.promoted:,} promoted, {gain}")
    chance = "" if statistics.chance is None else f" By chance {percent(statistics.chance)} are promoted."
    return f"{ABLATIONS.title} of {results.name}. {'; '.join(told) or 'Nothing was ablated'}.{chance}"


def _describe_histogram(results: RunResults) -> str:
    statistics = results.statistics
    told = []
    for name, counts in (("promoted", statistics.promoted_gains), ("rolled back", statistics.rolled_back_gains)):
        up, down = sum(counts[len(GAIN_EDGES) + 1 :]), sum(counts[: len(GAIN_EDGES)])
        told.append(f"{name}: {sum(counts):,}, of which {up:,} gained and {down:,} lost 0.01 points or more")
    return f"{GAINS.title} of {results.name}. {'; '.join(told)}."


ABLATIONS = FigureKind("ablations", "Mean gain by ablated unit", _map, _describe_map)
GAINS = FigureKind("gains", "Gains of the candidates", _histogram, _describe_histogram)
