"""Test accuracy of trained networks against damage that no training follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from psa_tui.analysis.figures.style import MUTED, new_figure
from psa_tui.analysis.figures.terminal import letter_curves
from psa_tui.analysis.robustness import LETTERS, Point, damage_words, robustness_curve
from psa_tui.formatting import percent, printable
from psa_tui.method.probes import Probe, UnitKill, WeightNoise
from psa_tui.method.variants import PUBLISHED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from rich.text import Text

    from psa_tui.method.variant import Dashes
    from psa_tui.runs.probing import Probed

_MARKERS = "os^Dv*XPp"
_MARKED = 30
"""Of so many levels each has a marker; of more, only the line is drawn."""
_LONGEST_NAME, _LONGEST_LEGEND = 36, 66
_LEGEND_ROW_IN = 0.12


@dataclass(frozen=True, slots=True)
class _Curve:
    """A checkpoint, and how it is told apart: by letter, by colour and dashes, and by marker."""

    points: list[Point]
    name: str
    kind: str
    """Its shape and its mode."""
    letter: str
    colour: str
    style: str
    dashes: Dashes
    marker: str


def _curves(found: Sequence[Probed], probe: Probe, longest: int) -> list[_Curve]:
    curves = []
    for index, (letter, probed) in enumerate(zip(LETTERS, found, strict=False)):
        look, label = PUBLISHED[index % len(PUBLISHED)], printable(probed.subject.label)
        # The end of a path says more than its beginning.
        name = label if len(label) <= longest else "..." + label[len(label) - longest + 3 :]
        marker = _MARKERS[(index + index // len(PUBLISHED)) % len(_MARKERS)]
        points = robustness_curve(probed, probe)
        kind = printable(f"{probed.subject.record.architecture} {probed.subject.record.mode}")
        curves.append(_Curve(points, name, kind, letter, look.colour, look.style, look.dashes, marker))
    return curves


def draw_robustness(found: Sequence[Probed], probe: Probe) -> Figure:
    """Draw mean and band of every checkpoint; call it within ``figure_style``."""
    legend_in = _LEGEND_ROW_IN * len(found)
    figure = new_figure(2.4 + legend_in)
    height = figure.get_figheight()
    bottom = (0.42 + legend_in) / height
    axes = figure.add_axes((0.125, bottom, 0.855, 1 - 0.5 / height - bottom))
    figure.text(0.02, 1 - 0.05 / height, f"Robustness: {damage_words(probe)}", fontsize=8, weight="bold", va="top")
    guesses = {probed.subject.majority_class_accuracy for probed in found}
    dotted = "; dotted: always the most frequent class" if len(guesses) == 1 else ""
    words = f"no training; mean of {probe.draws:,} draws\nbands: 10 % to 90 % of the draws{dotted}"
    figure.text(0.02, 1 - 0.2 / height, words, fontsize=6, color=MUTED, va="top", linespacing=1.3)
    for curve in _curves(found, probe, _LONGEST_NAME):
        levels = [point.level for point in curve.points]
        low, high = [100 * point.low for point in curve.points], [100 * point.high for point in curve.points]
        axes.fill_between(levels, low, high, color=curve.colour, alpha=0.12, linewidth=0)
        axes.plot(
            levels,
            [100 * point.mean for point in curve.points],
            color=curve.colour,
            linestyle=curve.dashes,
            linewidth=1,
            marker=curve.marker if len(levels) <= _MARKED else "",
            markersize=2.5,
            label=f"{curve.letter}  {curve.name}  {curve.kind}"[:_LONGEST_LEGEND],
        )
    if dotted:
        axes.axhline(100 * guesses.pop(), color=MUTED, linewidth=0.5, linestyle=":")
    _label_axes(axes, probe)
    figure.legend(loc="lower left", bbox_to_anchor=(0.05, 0), handlelength=2.4, borderaxespad=0.2, labelspacing=0.25)
    return figure


def _label_axes(axes: Axes, probe: Probe) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.margins(x=0.02)
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    axes.set_ylabel("test accuracy (%)", labelpad=1)
    if isinstance(probe, UnitKill):
        axes.set_xlabel("hidden units zeroed", labelpad=1)
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
        return
    axes.set_xlabel("noise (root mean squares of each tensor)", labelpad=1)
    if probe.levels:
        # Zero has its place beside the logarithmic scale.
        axes.set_xscale("symlog", linthresh=probe.levels[0], linscale=0.4)
        shown = [0.0, *probe.levels[:: -(-len(probe.levels) // 8)]]
        axes.set_xticks(shown, [f"{level:g}" for level in shown])
        axes.set_xticks([], minor=True)


def robustness_letters(found: Sequence[Probed], probe: Probe, width: int, ascii_only: bool) -> Text:
    """Draw the means in letters, ``width`` columns wide; of noise without the untouched: its scale is logarithmic."""
    import numpy as np

    curves = _curves(found, probe, max(6, width // len(found) - 8))
    if len({curve.name for curve in curves}) < len(curves):
        curves = [replace(curve, name=curve.letter) for curve in curves]
    is_logarithmic = isinstance(probe, WeightNoise) and bool(probe.levels)
    series = {}
    for curve in curves:
        values = np.array([(point.level, 100 * point.mean) for point in curve.points[is_logarithmic:]])
        series[curve.name] = values[:, 0], values[:, 1]
    return letter_curves("test accuracy", curves, series, width, ascii_only, is_logarithmic)


def describe_robustness(found: Sequence[Probed], probe: Probe) -> str:
    """Say the figure to who cannot see it."""
    said = []
    unit = "zeroed" if isinstance(probe, UnitKill) else "noise"
    for curve in _curves(found, probe, _LONGEST_NAME):
        first, last = curve.points[0], curve.points[-1]
        words = f"{curve.name}: {percent(first.mean)} untouched"
        if len(curve.points) > 2:
            middle = curve.points[len(curve.points) // 2]
            words += f", {_words(middle, unit)}"
        said.append(words + (f", {_words(last, unit)}" if len(curve.points) > 1 else ""))
    return (
        f"Robustness: test accuracy after {damage_words(probe)}, mean of {probe.draws} draws and 10 % to 90 % of them. "
        + "; ".join(said)
        + "."
    )


def _words(point: Point, unit: str) -> str:
    return f"{percent(point.mean)} ({100 * point.low:.2f} to {100 * point.high:.2f}) at {point.level:g} {unit}"
