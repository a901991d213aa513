"""How each shape trains, by the study's four regimes."""

from __future__ import annotations

from psa_tui.analysis.figures.plane import UNKNOWN, Kind, ShapeMap
from psa_tui.analysis.figures.study_results import StudyResults
from psa_tui.analysis.regimes import Regime

_KINDS = {
    Regime.UNTRAINABLE: Kind("untrainable", "x", "u", "#6b7480"),
    Regime.OPTIMAL: Kind("optimally sized", "o", "O", "#56b4e9"),
    Regime.CHAOTIC: Kind("chaotic", "^", "C", "#d55e00"),
    Regime.BENEFICIAL: Kind("beneficial", "s", "B", "#009e73"),
    Regime.UNCLASSIFIED: Kind("no rule fires", "D", "-", "#e69f00"),
}


def _sort(results: StudyResults) -> list[Kind]:
    if results.regimes is None:
        return [UNKNOWN] * len(results.plane)
    found = results.regimes["regime"].reindex(results.plane.index)
    return [_KINDS[Regime(regime)] if isinstance(regime, str) else UNKNOWN for regime in found]


REGIMES = ShapeMap("regimes", "Regimes of training", tuple(_KINDS.values()), _sort, labels=0).figure
