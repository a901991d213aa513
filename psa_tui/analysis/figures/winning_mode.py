"""Which mode has the highest mean accuracy at each shape."""

from __future__ import annotations

from typing import Any

from psa_tui.analysis.figures.plane import UNKNOWN, Kind, ShapeMap
from psa_tui.analysis.figures.study_results import MODES, Material
from psa_tui.analysis.figures.style import MODE_COLOURS, MODE_MARKERS

_LETTERS = {"none": "n", "decay": "d", "dropout": "r", "full": "F", "hidden": "H", "output": "O"}
_KINDS = {mode: Kind(mode, MODE_MARKERS[mode], _LETTERS[mode], MODE_COLOURS[mode]) for mode in MODES}
_TIED = Kind("several alike", "+", "=")
_NOBODY = Kind("none above majority", "x", "x", "#8b949e")


def _winner(row: Any, majority: float | None) -> Kind:
    """The mode with the highest mean as it is printed, to a hundredth of a point, so that a tie looks like one."""
    printed = {mode: round(100 * getattr(row, f"mean_{mode}"), 2) for mode in MODES}
    known = {mode: mean for mode, mean in printed.items() if mean == mean}
    if not known:
        return UNKNOWN
    best = max(known.values())
    if majority is not None and best <= round(100 * majority, 2):
        return _NOBODY
    winners = [mode for mode, mean in known.items() if mean == best]
    return _KINDS[winners[0]] if len(winners) == 1 else _TIED


def _sort(material: Material) -> list[Kind]:
    return [_winner(row, material.majority) for row in material.shapes.itertuples()]


WINNING_MODE = ShapeMap(
    "winning-mode", "The mode with the highest mean", (*_KINDS.values(), _TIED, _NOBODY), _sort, labels=0
).figure
