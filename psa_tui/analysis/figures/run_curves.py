"""A single run by meta-loop: validation accuracy with the LKG's staircase, and training loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from psa_tui.analysis.figures.study_results import FigureKind
from psa_tui.analysis.figures.style import INK, MUTED, new_figure
from psa_tui.analysis.run_results import RunResults
from psa_tui.formatting import count, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    Array = np.ndarray[Any, np.dtype[Any]]

PROMOTED_COLOUR, ROLLED_BACK_COLOUR = "#009e73", "#0072b2"
_HEIGHT_IN = 2.5
_LONGEST = 66
"""Characters of a line below the title."""
_SINGLE = 1500
"""Up to so many loops each has a mark; more are bands."""
_BINS = 300
_ZOOM, _SETTLED = 3.0, 15
"""A run whose worst candidates are so many times further below its settled ones, the percentile, than those are below
the best, is shown from just below the settled ones up."""


def run_figure(title: str, results: RunResults, x_label: str, y_label: str) -> tuple[Figure, Axes]:
    """Make a figure of one pair of axes, with a title and what was run."""
    figure = new_figure(_HEIGHT_IN)
    axes = figure.add_axes((0.135, 0.235, 0.83, 0.56))
    entitle(figure, title, results)
    axes.set_xlabel(x_label, labelpad=1)
    axes.set_ylabel(y_label, labelpad=1)
    return figure, axes


def entitle(figure: Figure, title: str, results: RunResults) -> None:
    """Write a title, and below it what was trained and the run's name, cut where they are too long for a line."""
    figure.text(0.02, 0.985, title, fontsize=8, weight="bold", va="top")
    lines = results.what, f"run {results.called}"
    below = "\n".join(line if len(line) <= _LONGEST else f"{line[: _LONGEST - 3]}..." for line in lines)
    figure.text(0.02, 0.925, below, fontsize=6, color=MUTED, va="top", linespacing=1.3)


def _accuracies(results: RunResults) -> Figure:
    figure, axes = run_figure(CURVE.title, results, "meta-loop", "validation accuracy (%)")
    loops, promoted = np.array(results.meta_loops), np.array(results.promoted, dtype=bool)
    accuracies = 100 * np.array(results.accuracies)
    low, high = _range(accuracies, results.majority)
    _candidates(axes, loops, accuracies, promoted)
    # An LKG is in force until the loop after the one that ends it.
    ends, levels = np.append(loops, loops[-1] + 1), 100 * np.array(results.lkg)
    axes.step(ends, np.append(levels, levels[-1]), where="post", color=INK, linewidth=0.8, label="LKG", zorder=2)
    if results.majority is not None and 100 * results.majority >= low:
        words = f"majority class {percent(results.majority)}"
        axes.axhline(100 * results.majority, color=MUTED, linewidth=0.6, linestyle=":", label=words)
    below = accuracies < low
    if below.any():
        words = f"below {low:.1f} % ({below.sum():,})"
        marked = loops[below] if len(loops) <= _SINGLE else loops[:0]
        axes.plot(
            marked, np.full(len(marked), low), "v", color=MUTED, markersize=2, label=words, clip_on=not len(marked)
        )
    axes.set_ylim(low, high)
    _finish(figure, axes, loops)
    return figure


def _losses(results: RunResults) -> Figure:
    from matplotlib.ticker import FuncFormatter, NullFormatter

    figure, axes = run_figure(LOSS.title, results, "meta-loop", "mean training loss")
    loops, losses = np.array(results.meta_loops), np.array(results.losses)
    known = np.isfinite(losses)
    _candidates(axes, loops[known], losses[known], np.array(results.promoted, dtype=bool)[known])
    if not known.all():
        words = f"not finite ({(~known).sum():,})"
        axes.plot(loops[~known], np.ones((~known).sum()), "x", color=MUTED, markersize=2.5, label=words, clip_on=False)
        axes.lines[-1].set_transform(axes.get_xaxis_transform())
    if known.any() and losses[known].max() > 20 * losses[known].min() > 0:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda loss, _: f"{loss:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
    _finish(figure, axes, loops)
    return figure


def _candidates(axes: Axes, loops: Array, values: Array, promoted: Array) -> None:
    """Draw candidates: a mark each, the promoted ones another; of many loops a band, and the promoted in it."""
    if len(loops) <= _SINGLE:
        style: dict[str, Any] = {"color": ROLLED_BACK_COLOUR, "markersize": 1.8, "markeredgewidth": 0, "alpha": 0.7}
        axes.plot(loops[~promoted], values[~promoted], "o", label=f"rolled back ({(~promoted).sum():,})", **style)
    else:
        parts = np.array_split(np.arange(len(loops)), _BINS)
        x = [loops[part].mean() for part in parts]
        low, middle, high = np.transpose([np.percentile(values[part], (10, 50, 90)) for part in parts])
        axes.fill_between(x, low, high, color=ROLLED_BACK_COLOUR, alpha=0.2, linewidth=0, label="10 % to 90 %")
        axes.plot(x, middle, color=ROLLED_BACK_COLOUR, linewidth=0.6, label="median")
    label = f"promoted ({promoted.sum():,})"
    marked: dict[str, Any] = {
        "color": PROMOTED_COLOUR,
        "markersize": 3.2 if len(loops) <= _SINGLE else 2,
        "markeredgewidth": 0,
    }
    axes.plot(loops[promoted], values[promoted], "^", label=label, zorder=3, **marked)


def _range(accuracies: Array, majority: float | None) -> tuple[float, float]:
    """Return the percentages shown: from the majority line up, or only the upper end once a run has settled there."""
    low, high = accuracies.min(), accuracies.max()
    low = low if majority is None else min(low, 100 * majority)
    settled = np.percentile(accuracies, _SETTLED)
    if high - low > _ZOOM * max(high - settled, 0.5):
        low = settled - 0.5 * max(high - settled, 0.5)
    margin = max(0.04 * (high - low), 0.05)
    return low - margin, high + margin


def _finish(figure: Figure, axes: Axes, loops: Array) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_xlim(loops[0] - 0.5, max(loops[-1] + 1, loops[0] + 9) + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    columns = 4 if len(axes.get_legend_handles_labels()[0]) <= 4 else 3
    room = {"columnspacing": 1.0, "handlelength": 1.2, "handletextpad": 0.4, "borderaxespad": 0.2}
    figure.legend(loc="lower center", ncol=columns, **room)


def _describe_accuracies(results: RunResults) -> str:
    promotions, loops = sum(results.promoted), len(results.meta_loops)
    lkg = results.lkg[-1]
    reached = "there is no LKG" if np.isnan(lkg) else f"the LKG reached {percent(lkg)}"
    majority = "" if results.majority is None else f", the majority class is {percent(results.majority)}"
    return (
        f"{CURVE.title} of {results.name}. After {count(loops, 'meta-loop')}, {promotions:,} of them promoted, "
        f"{reached}{majority}; candidates lie between {percent(min(results.accuracies))} and "
        f"{percent(max(results.accuracies))}."
    )


def _describe_losses(results: RunResults) -> str:
    known = [loss for loss in results.losses if np.isfinite(loss)]
    told = f"from {known[0]:.4g} to {known[-1]:.4g}, least {min(known):.4g}" if known else "never finite"
    return f"{LOSS.title} of {results.name}. {count(len(results.losses), 'meta-loop')}, {told}."


CURVE = FigureKind("curve", "Validation accuracy by meta-loop", _accuracies, _describe_accuracies)
LOSS = FigureKind("loss", "Training loss by meta-loop", _losses, _describe_losses)
