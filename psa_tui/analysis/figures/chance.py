"""What chance alone does: the p-values of A/A comparisons beside those that chance gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psa_tui.analysis.chance import chance_table
from psa_tui.analysis.figures.study_results import FigureKind, StudyResults
from psa_tui.analysis.figures.style import MUTED, RULE, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

_FEWEST, _MOST = 2, 8
"""Shapes that make a line, and lines that can be told apart."""
_LONGEST = 30
"""Letters of a name of which two have room beside one another."""


def _noisy(results: StudyResults) -> DataFrame:
    """Return the shapes of the A/A comparisons whose trials differ at all."""
    table = results.placebos
    return table[table["architecture"].notna() & table["low"].notna()]


def _draw(results: StudyResults) -> Figure:
    import numpy as np
    from scipy.special import betaincinv

    found = _noisy(results)
    counts = found["contrast"].value_counts(sort=False)
    every = list(counts.index[counts >= _FEWEST])
    names = every[:_MOST]
    figure = new_figure(3.2)
    columns = 2 if max(map(len, names), default=0) <= _LONGEST else 1
    rows = -(-len(names) // columns)
    axes = figure.add_axes((0.125, 0.125 + 0.037 * rows, 0.85, 0.715 - 0.037 * rows))
    figure.text(0.02, 0.985, "What chance alone does", fontsize=8, weight="bold", va="top")
    some = f"; {len(names)} of {len(every)}" if len(names) < len(every) else ""
    words = f"p of a shape where both sides train alike; grey: 95 % of chance{some}"
    figure.text(0.02, 0.935, f"{results.name}\n{words}", fontsize=6, color=MUTED, va="top", linespacing=1.3)
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.set_xlabel("p expected by chance", labelpad=1)
    axes.set_ylabel("p found", labelpad=1)
    if not names:
        axes.text(0.5, 0.5, "no comparison is possible", transform=axes.transAxes, ha="center", color=MUTED)
        return figure
    fewest = int(counts[names].min())
    place = np.arange(1, fewest + 1)
    low, high = (betaincinv(place, fewest + 1 - place, level) for level in (0.025, 0.975))
    axes.fill_between(place / (fewest + 1), low, high, color=RULE, alpha=0.6, linewidth=0)
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.6)
    axes.axhline(0.05, color=MUTED, linewidth=0.5, linestyle=":")
    for name in names:
        values = np.sort(found.loc[found["contrast"] == name, "p"].to_numpy(dtype=float))
        mode = name.split(" - ")[0].removesuffix(": odd")
        variant = next(one for one in results.variants if one.name == mode)
        filled = variant.colour if " - even" in name else "none"
        axes.plot(
            np.arange(1, len(values) + 1) / (len(values) + 1),
            values,
            color=variant.colour,
            marker=variant.marker,
            markersize=2,
            markerfacecolor=filled,
            markeredgewidth=0.5,
            linewidth=0.5,
            label=name,
        )
    figure.legend(loc="lower center", ncol=columns, columnspacing=1.5, borderaxespad=0.2, fontsize=5.5)
    return figure


def _describe(results: StudyResults) -> str:
    said = "What chance alone does: comparisons whose two sides train alike."
    table = chance_table(results.placebos)
    known = table[table["noisy"] > 0]
    if known.empty:
        return f"{said} None is possible."
    rows = "; ".join(f"{row.contrast} {row.significant} of {row.noisy}" for row in known.itertuples())
    return f"{said} Shapes with p below 0.05, of those whose trials differ: {rows}."


CHANCE = FigureKind("chance", "What chance alone does", _draw, _describe)
