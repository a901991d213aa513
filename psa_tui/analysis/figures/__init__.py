"""The figures of a study and of a single run: their names, and how each is drawn, described and written."""

from __future__ import annotations

from psa_tui.analysis.figures.ablation_effect import ABLATION_EFFECT
from psa_tui.analysis.figures.baseline_accuracy import BASELINE_ACCURACY
from psa_tui.analysis.figures.chance import CHANCE
from psa_tui.analysis.figures.contrasts import CONTRASTS
from psa_tui.analysis.figures.convergence import CONVERGENCE
from psa_tui.analysis.figures.design_space import DESIGN_SPACE
from psa_tui.analysis.figures.instability import INSTABILITY
from psa_tui.analysis.figures.late_breakthroughs import LATE_BREAKTHROUGHS
from psa_tui.analysis.figures.mode_curves import PROFILES, SURVIVAL
from psa_tui.analysis.figures.parameter_matching import PARAMETER_MATCHING
from psa_tui.analysis.figures.regimes import REGIMES
from psa_tui.analysis.figures.run_ablations import ABLATIONS, GAINS
from psa_tui.analysis.figures.run_curves import CURVE, LOSS
from psa_tui.analysis.figures.winning_mode import WINNING_MODE

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
        CONTRASTS,
        PROFILES,
        CHANCE,
        SURVIVAL,
        CONVERGENCE,
        LATE_BREAKTHROUGHS,
    )
}
RUN_FIGURES = {kind.name: kind for kind in (CURVE, LOSS, ABLATIONS, GAINS)}
