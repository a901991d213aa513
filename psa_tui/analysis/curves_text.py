"""Trajectories as text: a line a shape and mode, a column a stretch of meta-loops."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from psa_tui.analysis.text_tables import Text, TextTable, percentage
from psa_tui.analysis.trajectories import GAIN, phases

if TYPE_CHECKING:
    from pandas import DataFrame

_WORDS = {
    "validation_accuracy": "validation accuracy of the candidates (percent) after meta-loop",
    "lkg_accuracy": "validation accuracy of the LKG (percent) after meta-loop",
    GAIN: "points the LKG gained in meta-loops",
}


def curve_text(measure: str, curve: DataFrame) -> Iterator[Text]:
    """Show ``trajectories`` of a measure: accuracies where a stretch ends, gains summed over it."""
    is_gain = measure == GAIN
    stretches = phases(curve)[1 if is_gain else 0 :]  # the first loop makes the LKG
    names = [str(last) if first == last or not is_gain else f"{first}-{last}" for first, last in stretches]
    rows = []
    for (architecture, mode, label), cell in curve.groupby(["architecture", "mode", "label"], sort=False):
        values = cell.set_index("meta_loop")["value"]
        numbers = [
            percentage(values.loc[first:last].sum(min_count=1), "+.2f")
            if is_gain
            else percentage(values.get(last, float("nan")))
            for first, last in stretches
        ]
        rows.append([str(architecture), str(mode), str(label), *numbers])
    yield _WORDS[measure]
    yield TextTable(["shape", "mode", "curve", *names], rows, 3)
