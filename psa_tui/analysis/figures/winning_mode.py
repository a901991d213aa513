"""Which mode has the highest mean accuracy at each shape."""

from __future__ import annotations

from typing import Any

from psa_tui.analysis.figures.plane import UNKNOWN, Kind, ShapeMap
from psa_tui.analysis.figures.study_results import StudyResults
from psa_tui.method.variants import PUBLISHED, Variant

_TIED = Kind("several alike", "+", "=")
_NOBODY = Kind("none above majority", "x", "x", "#8b949e")


def _kind(variant: Variant) -> Kind:
    return Kind(variant.name, variant.marker, variant.letter, variant.colour)


def _winner(row: dict[str, Any], kinds: dict[str, Kind], majority: float | None) -> Kind:
    """Return the mode with the highest mean as it is printed, to a hundredth of a point: a tie looks like one."""
    printed = {mode: round(100 * row[f"mean_{mode}"], 2) for mode in kinds}
    known = {mode: mean for mode, mean in printed.items() if mean == mean}
    if not known:
        return UNKNOWN
    best = max(known.values())
    if majority is not None and best <= round(100 * majority, 2):
        return _NOBODY
    winners = [mode for mode, mean in known.items() if mean == best]
    return kinds[winners[0]] if len(winners) == 1 else _TIED


def _sort(results: StudyResults) -> list[Kind]:
    kinds = {variant.name: _kind(variant) for variant in results.variants}
    return [_winner(row, kinds, results.majority) for row in results.plane.to_dict("records")]


WINNING_MODE = ShapeMap(
    "winning-mode",
    "The mode with the highest mean",
    (*map(_kind, PUBLISHED), _TIED, _NOBODY),
    _sort,
    labels=0,
).figure
