"""Promotions late in a trial that raised the LKG by much."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psa_tui.analysis.figures.labels import place_labels
from psa_tui.analysis.figures.study_results import FigureKind, StudyResults
from psa_tui.analysis.figures.style import INK, MUTED, RULE, legend_columns, new_figure
from psa_tui.formatting import points
from psa_tui.method.variants import NONE

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

LARGE_GAIN = 0.01
"""A promotion by at least one percentage point is a breakthrough."""
_SHOWN = 400
_MARKER_PT = 3.2
_LEGEND_ROW = 0.04


def breakthroughs(loops: DataFrame) -> DataFrame:
    """Return promotions in the second half of their trials that gained ``LARGE_GAIN`` or more, the largest first."""
    last = loops.groupby(["architecture", "mode", "trial"])["meta_loop"].transform("max")
    late = loops[(loops["meta_loop"] > last / 2) & (loops["lkg_gain"] >= LARGE_GAIN - 1e-12)]
    return late.sort_values("lkg_gain", ascending=False, kind="stable")


def _draw(results: StudyResults) -> Figure:
    from matplotlib.ticker import FuncFormatter, NullFormatter

    assert results.loops is not None
    found = breakthroughs(results.loops)
    shown = found.head(_SHOWN)
    figure = new_figure(2.9)
    variants = [variant for variant in results.variants if variant.name in set(shown["mode"])]
    columns, more = legend_columns(variants, 3)
    raised = _LEGEND_ROW * more
    axes = figure.add_axes((0.125, 0.235 + raised, 0.86, 0.6 - raised))
    figure.text(0.02, 0.985, "Late breakthroughs", fontsize=8, weight="bold", va="top")
    most = f"the {_SHOWN} largest of {len(found):,}" if len(found) > _SHOWN else f"{len(found)}"
    words = f"{most} promotions by a point or more after half of a trial"
    figure.text(0.02, 0.93, f"{results.name}\n{words}", fontsize=6, color=MUTED, va="top", linespacing=1.3)
    end = int(results.loops["meta_loop"].max())
    axes.set_xlim(end / 2 - 0.5, end + 0.03 * end + 0.5)
    axes.set_yscale("log")
    low, high = (100 * shown["lkg_gain"].min(), 100 * shown["lkg_gain"].max()) if len(shown) else (1.0, 10.0)
    axes.set_ylim(0.85 * low, 2 * high)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("meta-loop", labelpad=1)
    axes.set_ylabel("gain of the LKG (points)", labelpad=1)
    if shown.empty:
        axes.text(0.5, 0.5, "none", transform=axes.transAxes, ha="center", color=MUTED)
        return figure
    for variant in variants:
        chosen = shown[shown["mode"] == variant.name]
        axes.scatter(
            chosen["meta_loop"],
            100 * chosen["lkg_gain"],
            s=_MARKER_PT**2,
            marker=variant.marker,
            facecolors=RULE if variant == NONE else variant.colour,
            edgecolors=INK,
            linewidths=0.35,
            label=f"{variant.name} ({(found['mode'] == variant.name).sum():,})",
            zorder=3,
        )
    figure.legend(loc="lower center", ncol=columns, columnspacing=1.5, handletextpad=0, borderaxespad=0.2, fontsize=5.5)
    spots = shown.assign(gain=100 * shown["lkg_gain"])
    names = [
        (float(row.meta_loop), float(row.gain), f"{row.architecture} {row.mode} {row.trial}")
        for row in spots.head(8).itertuples()
    ]
    place_labels(axes, names, spots[["meta_loop", "gain"]].to_numpy(dtype=float), _MARKER_PT * figure.dpi / 72)
    return figure


def _describe(results: StudyResults) -> str:
    assert results.loops is not None
    found = breakthroughs(results.loops)
    said = f"Late breakthroughs. {len(found):,} promotions in the second half of a trial gained a point or more."
    if found.empty:
        return said
    top = found.iloc[0]
    counts = found["mode"].value_counts().reindex(list(results.modes)).dropna().astype(int)
    by_mode = ", ".join(f"{mode} {count:,}" for mode, count in counts.items())
    return (
        f"{said} The largest: {points(top['lkg_gain'])} points at meta-loop {top['meta_loop']} of "
        f"{top['architecture']}, mode {top['mode']}, trial {top['trial']}. By mode: {by_mode}."
    )


LATE_BREAKTHROUGHS = FigureKind("late-breakthroughs", "Late breakthroughs", _draw, _describe, needs_loops=True)
