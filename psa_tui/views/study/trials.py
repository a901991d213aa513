"""The picture of a study of one setting: the mean and band of its trials, a strip for each, and the best."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from rich.text import Text

from psa_tui.formatting import percent
from psa_tui.views.braille import Series, plot
from psa_tui.views.glyphs import ASCII, Glyphs
from psa_tui.views.sparkline import sparkline
from psa_tui.views.study.state import StudyState

BAND = (10, 90)
"""Percentiles between which the band lies."""
STRIP_WIDTH = 34
"""Columns of a trial in the list of strips, at least."""


def trials_chart(state: StudyState, width: int, height: int, glyphs: Glyphs) -> Text:
    """Draw the best accuracies so far over the meta-loops, of all trials: mean, and percentiles 10 and 90."""
    loops = sorted({loop for curve in state.curves.values() for loop in curve})
    if not loops:
        return Text("no loop yet")
    shown = [loops[round(place)] for place in np.linspace(0, len(loops) - 1, min(len(loops), 2 * width))]
    reached = [
        [100 * found for curve in state.curves.values() if (found := curve.get(loop)) is not None] for loop in shown
    ]
    x = np.array([loop for loop, values in zip(shown, reached, strict=True) if values], dtype=float)
    values = [one for one in reached if one]
    if not values:
        return Text("no LKG yet")
    low, high = (np.array([np.percentile(one, place) for one in values]) for place in BAND)
    mean = np.array([np.mean(one) for one in values])
    drawn = plot(
        [
            Series(x, low, "blue", glyphs.dot, line=True),
            Series(x, high, "blue", glyphs.dot, line=True),
            Series(x, mean, "bold green", glyphs.lkg, line=True),
        ],
        width,
        height - 1,
        (x[0] - 0.5, max(x[-1], x[0] + 9) + 0.5),
        (max(float(low.min()) - 1, 0.0), min(float(high.max()) + 1, 100.0)),
        y_unit=" %",
        ascii_only=glyphs is ASCII,
    )
    if drawn is None:
        return Text("")
    legend = Text(no_wrap=True)
    legend.append(glyphs.lkg, "bold green").append(" mean  ")
    legend.append(glyphs.dot, "blue").append(f" percentiles {BAND[0]} and {BAND[1]} of the bounties")
    return Text("\n", no_wrap=True).join([legend, *drawn.lines])


def trials_strips(state: StudyState, width: int, height: int, glyphs: Glyphs) -> Text:
    """Draw a strip for each trial, its bounty over the meta-loops, best one first where not all have room."""
    trials = [(trial, [one for one in curve.values() if one is not None]) for trial, curve in state.curves.items()]
    order = sorted(trials, key=lambda one: (-(one[1][-1] if one[1] else -1.0), one[0]))
    best = order[0][0] if order and order[0][1] else None
    columns = max(width // STRIP_WIDTH, 1)
    room = columns * height
    chosen = order if len(order) <= room else order[: room - 1]
    every = [one for _, bounties in trials for one in bounties]
    # One scale for all: a strip's height is an accuracy, not a share of the trial's own.
    bounds = (min(every, default=0.0), max(every, default=1.0))
    cells = list(_strips(chosen, best, bounds, width // columns - 1, glyphs))
    if len(chosen) < len(order):
        cells.append(f"and {len(order) - len(chosen)} trials below these")
    rows = [cells[start : start + columns] for start in range(0, len(cells), columns)]
    text = Text("\n").join(
        Text("".join(f"{cell:<{width // columns}}" for cell in row).rstrip(), no_wrap=True) for row in rows
    )
    text.highlight_regex(r"\S+ % best", "bold green")
    return text


def _strips(
    trials: Sequence[tuple[int, list[float]]],
    best: int | None,
    bounds: tuple[float, float],
    width: int,
    glyphs: Glyphs,
) -> Iterator[str]:
    for trial, bounties in trials:
        end = percent(bounties[-1] if bounties else None) + (" best" if trial == best else "")
        strip = width - 4 - 13
        yield f"{trial:>3} {sparkline(bounties, strip, ascii_only=glyphs is ASCII, bounds=bounds):<{strip}} {end}"[
            :width
        ]
