"""Which shapes the study has: shallow and wide, square, deep and narrow."""

from __future__ import annotations

from psa_tui.analysis.figures.plane import Kind, ShapeMap
from psa_tui.analysis.figures.study_results import StudyResults

_WIDE = Kind("wider than deep", "s", "w", "#56b4e9")
_SQUARE = Kind("square", "o", "q", "#e69f00")
_DEEP = Kind("deeper than wide", "^", "d", "#009e73")


def _sort(results: StudyResults) -> list[Kind]:
    return [
        _SQUARE if depth == width else _DEEP if depth > width else _WIDE
        for depth, width in zip(results.plane["depth"], results.plane["width"], strict=True)
    ]


DESIGN_SPACE = ShapeMap("design-space", "The design space", (_WIDE, _SQUARE, _DEEP), _sort, labels=1000).figure
