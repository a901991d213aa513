"""One curve a mode over all shapes: performance profiles, and the share of trials that has escaped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psa_tui.analysis.escape_times import survival_curves, survival_table
from psa_tui.analysis.figures.study_results import FigureKind, StudyResults
from psa_tui.analysis.figures.style import MUTED, legend_columns, new_figure
from psa_tui.analysis.profiles import aggregate_table, profile_table, samples
from psa_tui.formatting import percent
from psa_tui.method.variants import NONE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from pandas import DataFrame

_LEGEND_ROW = 0.045
_LEVELS = 100
_MOST_BANDS = 3
"""More of them cover each other: then the control's alone is drawn."""


def _axes(results: StudyResults, modes: set[str], title: str, words: str) -> tuple[Figure, Axes]:
    """Begin a figure with its title, and room for a legend of ``modes``."""
    figure = new_figure(2.9)
    variants = [variant for variant in results.variants if variant.name in modes]
    _, more = legend_columns(variants, 6)
    raised = _LEGEND_ROW * more
    axes = figure.add_axes((0.125, 0.19 + raised, 0.85, 0.64 - raised))
    figure.text(0.02, 0.985, title, fontsize=8, weight="bold", va="top")
    figure.text(0.02, 0.93, f"{results.name}\n{words}", fontsize=6, color=MUTED, va="top", linespacing=1.3)
    return figure, axes


def _curves(results: StudyResults, figure: Figure, axes: Axes, curves: DataFrame, x: str, *, steps: bool) -> None:
    """Draw a curve a mode, columns ``x``, ``share``, ``low`` and ``high``, with the bands of few or of the control."""
    shown = [variant for variant in results.variants if variant.name in set(curves["mode"])]
    for variant in shown:
        curve = curves[curves["mode"] == variant.name]
        place, shares = curve[x], 100 * curve[["share", "low", "high"]]
        if len(shown) <= _MOST_BANDS or variant == NONE:
            axes.fill_between(
                place,
                shares["low"],
                shares["high"],
                step="post" if steps else None,
                color=variant.colour,
                alpha=0.13,
                linewidth=0,
            )
        axes.plot(
            place,
            shares["share"],
            color=variant.colour,
            linestyle=variant.dashes,
            linewidth=1,
            drawstyle="steps-post" if steps else "default",
            label=variant.name,
        )
    columns, _ = legend_columns(shown, 6)
    figure.legend(loc="lower center", ncol=columns, columnspacing=0.9, handlelength=1.8, borderaxespad=0.2)


def _bands(modes: int) -> str:
    return "bands: 95 %" if modes <= _MOST_BANDS else f"band: 95 %, of {NONE.name}"


def _draw_profiles(results: StudyResults) -> Figure:
    import numpy as np

    found = samples(results.trials, results.accuracy.values)
    shapes = len(next(iter(found.values()))) if found else 0
    words = f"trials of {shapes} shapes above each accuracy; {_bands(len(found))}"
    figure, axes = _axes(results, set(found), "Performance profiles", words)
    axes.set(xlim=(0, 100), ylim=(0, 100))
    axes.set_xlabel("best validation accuracy (%)", labelpad=1)
    axes.set_ylabel("trials above it (%)", labelpad=1)
    if not found:
        axes.text(0.5, 0.5, "no shape has all modes", transform=axes.transAxes, ha="center", color=MUTED)
        return figure
    profiles = profile_table(found, np.arange(_LEVELS + 1) / _LEVELS)
    _curves(results, figure, axes, profiles.assign(accuracy=100 * profiles["level"]), "accuracy", steps=False)
    return figure


def _describe_profiles(results: StudyResults) -> str:
    table = aggregate_table(samples(results.trials, results.accuracy.values))
    said = "Performance profiles: the share of all trials above each accuracy, a curve a mode."
    if table.empty:
        return f"{said} No shape has all modes."
    means = "; ".join(
        f"{row.mode} {percent(row.iqm)} ({percent(row.iqm_low)} to {percent(row.iqm_high)})"
        for row in table.itertuples()
    )
    return f"{said} Mean of the middle half of the trials with its 95 % interval: {means}."


def _draw_survival(results: StudyResults) -> Figure:
    from matplotlib.ticker import MaxNLocator

    times = results.escape_times
    curves = None if times is None else survival_curves(times)
    modes = set() if curves is None else set(curves["mode"])
    words = f"LKG 15 points above the majority class; {_bands(len(modes))}"
    figure, axes = _axes(results, modes, "Escapes over the meta-loops", words)
    axes.set_ylim(0, 100)
    axes.set_xlabel("meta-loop", labelpad=1)
    axes.set_ylabel("trials that have escaped (%)", labelpad=1)
    if curves is None or results.loops is None:
        axes.text(0.5, 0.5, "the majority class is not known", transform=axes.transAxes, ha="center", color=MUTED)
        return figure
    last = int(results.loops["meta_loop"].max())
    ends = curves.groupby("mode", sort=False).tail(1).assign(time=float(last))
    steps = curves.merge(ends, how="outer").sort_values("time", kind="stable")
    turned = steps.assign(share=1 - steps["survival"], low=1 - steps["high"], high=1 - steps["low"])
    axes.set_xlim(0, last)
    banded = turned if len(modes) <= _MOST_BANDS else turned[turned["mode"] == NONE.name]
    highest = max(1.08 * turned["share"].max(), *banded["high"].dropna(), 0)
    axes.set_ylim(0, max(10.0, min(100.0, 105 * highest)))
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    _curves(results, figure, axes, turned, "time", steps=True)
    return figure


def _describe_survival(results: StudyResults) -> str:
    said = "Escapes over the meta-loops: the share of trials whose LKG is 15 points above the majority class."
    if results.escape_times is None:
        return f"{said} The majority class is not known."
    shares = "; ".join(f"{row.mode} {percent(row.share)}" for row in survival_table(results.escape_times).itertuples())
    return f"{said} At the end: {shares}."


PROFILES = FigureKind("profiles", "Performance profiles", _draw_profiles, _describe_profiles)
SURVIVAL = FigureKind("survival", "Escapes over the meta-loops", _draw_survival, _describe_survival, needs_loops=True)
