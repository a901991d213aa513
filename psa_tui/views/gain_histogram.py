"""The histogram of gains: promoted and rolled back candidates, each in bars of their own."""

from __future__ import annotations

from rich.text import Text

from psa_tui.formatting import first_fitting
from psa_tui.runs.ablation_statistics import GAIN_BINS, GAIN_EDGES, AblationStatistics
from psa_tui.views.glyphs import Glyphs
from psa_tui.views.sparkline import bars

_WIDEST_BIN = 4
_LABELLED = (0.1, 1.0, 10.0)
"""Points that have a label on the axis."""


def gain_histogram(statistics: AblationStatistics, width: int, height: int, glyphs: Glyphs) -> Text:
    """Draw how many candidates gained how much, in ``width`` x ``height`` characters, from 25 x 5 on.

    Each of the two has its own scale. The bins go up to 0.01, 0.02, 0.05, 0.1 points and so on, alike up and down.
    """
    kinds = (
        (glyphs.promoted, "promoted", statistics.promoted_gains, "green"),
        (glyphs.hit, "rolled back", statistics.rolled_back_gains, "red"),
    )
    bin_width = min(width // GAIN_BINS, _WIDEST_BIN)
    with_unit = height >= 8
    rows = (height - 3 - with_unit) // 2
    if bin_width < 1 or rows < 1:
        return Text("")
    if not any(any(counts) for _, _, counts, _ in kinds):
        return Text(first_fitting(width, "no gain yet: the first candidate has nothing to gain on", "no gain yet"))
    text = Text(no_wrap=True)
    for glyph, name, counts, style in kinds:
        told = (f" {sum(counts):,} {name}", f" at most {max(counts):,} in a bin")
        text.append(glyph, style)
        text.append(first_fitting(width - 1, ",".join(told), told[0]) + "\n")
        for line in bars(counts, rows, max(*counts, 1), glyphs.strip, bin_width):
            text.append(line + "\n", style)
    text.append(_axis(bin_width), "dim")
    if with_unit:
        unit = ("points of validation accuracy gained on the LKG", "points gained on the LKG", "points gained")
        text.append("\n" + first_fitting(width, *unit), "dim")
    return text


def _axis(bin_width: int) -> str:
    """Write points below the bins that begin with them, read from the middle."""
    middle = len(GAIN_EDGES)
    line = [" "] * (GAIN_BINS * bin_width + 4)
    line[middle * bin_width] = "0"
    for edge in _LABELLED[bin_width == 1 :]:
        away = GAIN_EDGES.index(edge) + 1
        up, down = f"{edge:g}", f"-{edge:g}"
        start, end = (middle + away) * bin_width, (middle - away + 1) * bin_width - (bin_width > 1)
        line[start : start + len(up)] = up
        line[end - len(down) : end] = down
    return "".join(line).rstrip()
