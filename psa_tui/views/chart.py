"""The accuracy chart: every loop, the LKG's staircase, and the majority-class line, drawn by uniplot."""

from __future__ import annotations

import numpy as np
from rich.text import Text
from uniplot import plot_to_string

from psa_tui.views.glyphs import ASCII, Glyphs
from psa_tui.views.state import RunState

_LABEL_WIDTH = 9
_ZOOM = 3.0
_MANY = 10_000
TO_ASCII = str.maketrans({"│": "|", "─": "-", "┌": "+", "┐": "+", "└": "+", "┘": "+", "┤": "|"})


def chart(state: RunState, width: int, height: int, glyphs: Glyphs) -> Text:
    """Draw the chart in ``width`` x ``height`` characters, legend included; a line of words when there is no room."""
    rows, columns = height - 3, width - _LABEL_WIDTH - 2
    if not state.accuracies or rows < 3 or columns < 20:
        return Text("no loop yet" if not state.accuracies else "")
    loops = np.array(state.meta_loops, dtype=float)
    accuracies = 100 * np.array(state.accuracies)
    fraction = None if state.started is None else state.started.majority_class_accuracy
    majority = None if fraction is None else 100 * fraction
    first, last = loops[0], max(loops[-1], loops[0] + 9)
    low, high = _window(accuracies, majority)

    series: list[tuple[np.ndarray, np.ndarray, bool, str]] = []
    if majority is not None and low <= majority:
        series.append((np.array([first, last]), np.array([majority, majority]), True, glyphs.majority))
    binned = len(loops) > columns
    if binned:
        x, least, mean, most = _bins(loops, accuracies, columns)
        series += [(x, least, False, glyphs.extreme), (x, most, False, glyphs.extreme), (x, mean, False, glyphs.mean)]
    else:
        series.append((loops, accuracies, False, glyphs.rolled_back))
    series.append((*_staircase(loops, accuracies, np.array(state.promoted, dtype=bool)), True, glyphs.lkg))
    if not binned:
        promoted = np.array(state.promoted, dtype=bool)
        series.append((loops[promoted], accuracies[promoted], False, glyphs.promoted))
    series = [one for one in series if len(one[0])]

    picture = plot_to_string(
        [y for _, y, _, _ in series],
        xs=[x for x, _, _, _ in series],
        lines=[line for _, _, line, _ in series],
        character_set="ascii",
        force_ascii_characters=[glyph for _, _, _, glyph in series],
        color=False,
        width=columns,
        height=rows,
        x_min=first - 0.5,
        x_max=last + 0.5,
        y_min=low,
        y_max=high,
        y_unit=" %",
    )
    if glyphs is ASCII:
        picture = picture.translate(TO_ASCII)
    lines = picture.split("\n")[1:]
    text = _legend(glyphs, binned, majority, low)
    for line in lines:
        text.append("\n" + line[: width - 1].rstrip())
    for glyph, style in ((glyphs.promoted, "green"), (glyphs.lkg, "bold green"), (glyphs.majority, "magenta")):
        text.highlight_words([glyph], style)
    return text


def _window(accuracies: np.ndarray, majority: float | None) -> tuple[float, float]:
    """Return the percentages shown: from the majority line up, or only the upper end once a run has settled there."""
    low, high = float(accuracies.min()), float(accuracies.max())
    low = low if majority is None else min(low, majority)
    settled = float(np.quantile(accuracies, 0.15))
    if high - low > _ZOOM * max(high - settled, 0.5):
        low = settled - 0.5 * max(high - settled, 0.5)
    margin = max(0.04 * (high - low), 0.05)
    return low - margin, high + margin


def _staircase(loops: np.ndarray, accuracies: np.ndarray, promoted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the corners of the LKG's accuracy over the loops: level until a promotion, then straight up or down.

    Args:
        loops: meta-loops [N], ascending.
        accuracies: of the candidates [N].
        promoted: which of them became the LKG, bool [N].
    """
    lkg = np.maximum.accumulate(np.where(promoted, np.arange(len(loops)), -1))
    levels = np.where(lkg < 0, np.nan, accuracies[lkg])
    x, y = np.repeat(loops, 2)[1:], np.repeat(levels, 2)[:-1]
    known = np.isfinite(y)
    if len(loops) > _MANY:
        # Of a million loops only the corners: each piece of a line costs.
        known[1:-1] &= (y[1:-1] != y[:-2]) | (y[1:-1] != y[2:])
    return x[known], y[known]


def _bins(
    loops: np.ndarray, accuracies: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return middle loop, least, mean and greatest accuracy of ``count`` bins of neighbouring loops."""
    parts = np.array_split(np.arange(len(loops)), count)
    x = np.array([loops[part].mean() for part in parts])
    least, mean, most = (np.array([f(accuracies[part]) for part in parts]) for f in (np.min, np.mean, np.max))
    return x, least, mean, most


def _legend(glyphs: Glyphs, binned: bool, majority: float | None, low: float) -> Text:
    shown = (
        f"{glyphs.mean} mean {glyphs.extreme} least, greatest"
        if binned
        else f"{glyphs.promoted} promoted  {glyphs.rolled_back} rolled back"
    )
    line = f"{shown}  {glyphs.lkg} LKG"
    if majority is not None:
        line += f"  {glyphs.majority} majority {majority:.2f} %{' (below)' if low > majority else ''}"
    return Text(line, no_wrap=True)
