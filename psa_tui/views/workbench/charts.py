"""The curves of the workbench: one run loop by loop, and many by setting with median and band."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rich.text import Text

from psa_tui.method.events import Verdict
from psa_tui.storage.meta_loops import MetaLoopRow
from psa_tui.views.braille import Series, plot
from psa_tui.views.display import ChartWindow
from psa_tui.views.glyphs import UNICODE
from psa_tui.views.workbench.palette import Palette

_OFF_SCALE_PERCENT = 4.0
"""The share of the accuracies, the lowest ones, that may lie below the plot: first loops would flatten all others."""
_COLOURS = ("#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#0072b2", "#f0e442", "#999999")
"""Okabe and Ito's, which people with any colour vision tell apart."""
_GLYPHS = "ABCDEFGH"
_UNIT = " %"


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """One run or trial: loops [N], candidates' and LKG's accuracies [N] in percent (NaN before there is an LKG)."""

    loops: np.ndarray
    candidates: np.ndarray
    lkg: np.ndarray
    promoted: np.ndarray
    """Whether the candidate became the LKG: bool [N]."""

    def within(self, first: int, last: int) -> Curve:
        """Return the loops from ``first`` to ``last``."""
        seen = (self.loops >= first) & (self.loops <= last)
        return Curve(self.loops[seen], self.candidates[seen], self.lkg[seen], self.promoted[seen])


@dataclass(frozen=True, slots=True)
class Group:
    """Runs of one setting."""

    setting: str
    curves: Sequence[Curve]

    @property
    def median(self) -> float | None:
        """Of where the LKGs stand at the end, in percent."""
        last = [curve.lkg[-1] for curve in self.curves if len(curve.lkg) and np.isfinite(curve.lkg[-1])]
        return float(np.median(last)) if last else None


def curve_of(loops: Sequence[MetaLoopRow]) -> Curve:
    """Return the curve of stored loops."""
    promoted = np.array([loop.verdict == Verdict.PROMOTED for loop in loops], dtype=bool)
    candidates = np.array([100 * loop.validation_accuracy for loop in loops])
    # A rule may promote an earlier candidate, which it held: what the row says of the LKG goes first.
    levels = np.array(
        [
            100 * loop.lkg_correct / loop.validation_count
            if loop.lkg_correct is not None
            else 100 * loop.validation_accuracy
            if loop.verdict == Verdict.PROMOTED
            else np.nan
            for loop in loops
        ]
    )
    return Curve(np.array([loop.meta_loop for loop in loops]), candidates, _filled(levels), promoted)


def run_chart(whole: Curve, width: int, height: int, palette: Palette, window: ChartWindow) -> Text:
    """Draw every loop's candidate in ``window`` as a dot, the promoted ones bright, and the LKG as a staircase.

    ``whole`` has at least one loop.
    """
    curve = whole.within(*window.bounds(int(whole.loops[0]), int(whole.loops[-1])))
    y_range = _padded(curve.candidates)
    rolled = ~curve.promoted
    stairs_x, stairs_y = _staircase(curve.loops, curve.lkg)
    series = [
        Series(curve.loops[rolled], curve.candidates[rolled], palette.candidate, "."),
        Series(stairs_x, stairs_y, palette.lkg, "-", line=True),
    ]
    drawn = plot(series, width, height, _span([curve]), y_range, y_unit=_UNIT)
    if drawn is None:
        return Text("no room for the curve", palette.muted)
    for loop, accuracy in zip(curve.loops[curve.promoted], curve.candidates[curve.promoted], strict=True):
        if (cell := drawn.cell(loop, accuracy)) is not None:
            drawn.put(*cell, UNICODE.promoted, palette.promoted)
    drawn.draw_cursor(window.cursor)
    return drawn.text


def run_legend(curve: Curve, palette: Palette) -> Text:
    """Explain ``run_chart``, in words that stand alone."""
    count = int(curve.promoted.sum())
    return Text.assemble(
        (UNICODE.promoted, palette.promoted),
        f" {count:,} promoted  ",
        ("∙", palette.candidate),
        f" {len(curve.loops) - count:,} rolled back  ",
        ("━", palette.lkg),
        " LKG",
    )


def overlay_chart(groups: Sequence[Group], width: int, height: int, muted: str) -> Text:
    """Draw the median LKG of each group's runs as a line in a band that holds them all."""
    curves = [curve for group in groups for curve in group.curves if np.isfinite(curve.lkg).any()]
    if not curves:
        return Text("nothing was promoted yet", muted)
    known = np.concatenate([curve.lkg[np.isfinite(curve.lkg)] for curve in curves])
    y_range = _padded(known)
    bands: list[Series] = []
    lines: list[Series] = []
    ends: dict[int, tuple[float, float]] = {}
    for number, group in enumerate(groups):
        loops, levels = _together(group.curves)
        if not len(loops):
            continue
        colour, glyph = style_of(number), letter_of(number)
        low, median, high = (np.nanquantile(levels, share, axis=0) for share in (0.0, 0.5, 1.0))
        # Behind the end of the shortest one the median is of others: it is drawn, but dim.
        common = loops <= min(curve.loops[-1] for curve in group.curves if len(curve.loops))
        if len(group.curves) > 1:
            x, y = _band(loops[common], low[common], high[common], width, height, y_range)
            bands.append(Series(x, y, f"dim {colour}", glyph.lower()))
        lines.append(Series(*_staircase(loops, median), f"dim {colour}", glyph.lower(), line=True))
        lines.append(Series(*_staircase(loops[common], median[common]), f"bold {colour}", glyph, line=True))
        if common.any():
            ends[number] = loops[common][-1], median[common][-1]
    drawn = plot([*bands, *lines], width, height, _span(curves), y_range, y_unit=_UNIT)
    if drawn is None:
        return Text("no room for the curves", muted)
    for number, (loop, level) in ends.items():
        # One behind the other, so that also of lines that are the same each is seen.
        if len(groups) > 1 and (cell := drawn.cell(loop, level)) is not None:
            drawn.put(max(cell[0] - 2 * number, 0), cell[1], letter_of(number), f"bold {style_of(number)}")
    return drawn.text


def letter_of(group: int) -> str:
    """Return the letter of a group by its number, which tells it from others where there is no colour."""
    return _GLYPHS[group % len(_GLYPHS)]


def style_of(group: int) -> str:
    """Return the colour of a group by its number."""
    return _COLOURS[group % len(_COLOURS)]


def _filled(levels: np.ndarray) -> np.ndarray:
    """Return ``levels`` [N] with the value before in place of each NaN, where there is one."""
    places = np.where(np.isfinite(levels), np.arange(len(levels)), -1)
    last = np.maximum.accumulate(places) if len(places) else places
    return np.where(last >= 0, levels[np.maximum(last, 0)], np.nan) if len(levels) else levels


def _staircase(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the corners of the steps through the points."""
    known = np.isfinite(y)
    x, y = x[known], y[known]
    return np.repeat(x, 2)[1:], np.repeat(y, 2)[:-1]


def _together(curves: Sequence[Curve]) -> tuple[np.ndarray, np.ndarray]:
    """Return loops [L] and LKG accuracies [runs, L], NaN where a run has none; loops without any are left out."""
    loops = np.unique(np.concatenate([curve.loops for curve in curves]))
    levels = np.full((len(curves), len(loops)), np.nan)
    for row, curve in zip(levels, curves, strict=True):
        row[np.searchsorted(loops, curve.loops)] = curve.lkg
    known = np.isfinite(levels).any(axis=0)
    return loops[known], levels[:, known]


def _band(
    loops: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    width: int,
    height: int,
    y_range: tuple[float, float],
) -> tuple[np.ndarray, np.ndarray]:
    """Return points that shade what lies between ``low`` and ``high``: a dot every other column and line of dots."""
    across = np.linspace(loops[0], loops[-1], width)
    at = np.searchsorted(loops, across, side="right") - 1
    x, y = np.meshgrid(across, np.linspace(*y_range, 2 * height))
    inside = (y >= low[at]) & (y <= high[at])
    edges = np.concatenate([low[at], high[at]])
    return np.concatenate([x[inside], across, across]), np.concatenate([y[inside], edges])


def _span(curves: Sequence[Curve]) -> tuple[float, float]:
    ends = [(curve.loops[0], curve.loops[-1]) for curve in curves]
    first, last = float(min(a for a, _ in ends)), float(max(b for _, b in ends))
    return (first, last) if last > first else (first - 1, last + 1)


def _padded(values: np.ndarray) -> tuple[float, float]:
    low, high = float(np.percentile(values, _OFF_SCALE_PERCENT)), float(values.max())
    room = max((high - low) * 0.06, 0.25)
    return low - room, high + room
