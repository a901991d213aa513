"""The figures of a study: their names, and how each is drawn, described and written."""

from __future__ import annotations

from psa_tui.results.figures.ablation_effect import ABLATION_EFFECT
from psa_tui.results.figures.baseline_accuracy import BASELINE_ACCURACY
from psa_tui.results.figures.convergence import CONVERGENCE
from psa_tui.results.figures.design_space import DESIGN_SPACE
from psa_tui.results.figures.instability import INSTABILITY
from psa_tui.results.figures.late_breakthroughs import LATE_BREAKTHROUGHS
from psa_tui.results.figures.parameter_matching import PARAMETER_MATCHING
from psa_tui.results.figures.regimes import REGIMES
from psa_tui.results.figures.winning_mode import WINNING_MODE

FIGURES = {
    kind.name: kind
    for kind in (
        DESIGN_SPACE,
        BASELINE_ACCURACY,
        ABLATION_EFFECT,
        INSTABILITY,
        WINNING_MODE,
        PARAMETER_MATCHING,
        REGIMES,
        CONVERGENCE,
        LATE_BREAKTHROUGHS,
    )
}
