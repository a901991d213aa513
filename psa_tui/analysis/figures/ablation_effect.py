"""What ablating does to each shape: the ablative modes' mean accuracy less the baselines'."""

from __future__ import annotations

from psa_tui.analysis.figures.plane import UNKNOWN, Kind, Quantity, ShapeMap
from psa_tui.analysis.figures.study_results import StudyResults
from psa_tui.formatting import points

NOTABLE = 0.005
"""Half a percentage point: the least difference the regimes' rules count as one."""
_TICKS = {-10.0: "-10", -1.0: "-1", 0.0: "0", 1.0: "+1", 10.0: "+10"}
_HIGHER = Kind("higher by over 0.5 points", "^", "+")
_ALIKE = Kind("within 0.5 points", "o", "=")
_LOWER = Kind("lower by over 0.5 points", "v", "-")


def _sort(results: StudyResults) -> list[Kind]:
    return [
        UNKNOWN if effect != effect else _HIGHER if effect > NOTABLE else _LOWER if effect < -NOTABLE else _ALIKE
        for effect in results.plane["effect"]
    ]


def _quantity(results: StudyResults) -> Quantity:
    from matplotlib.colors import SymLogNorm

    effects = 100 * results.plane["effect"]
    reach = max(1.0, float(effects.abs().max())) if effects.notna().any() else 1.0
    return Quantity(effects, "ablative - baselines (points)", "PuOr", SymLogNorm(0.5, vmin=-reach, vmax=reach), _TICKS)


def _strongest(results: StudyResults) -> list[str]:
    return list(results.plane["effect"].dropna().abs().sort_values(ascending=False, kind="stable").index)


def _remark(results: StudyResults) -> str:
    known = results.plane["effect"].dropna()
    if known.empty:
        return "No shape has both baseline and ablative trials."
    most, least = known.idxmax(), known.idxmin()
    return f"From {points(known[least])} points at {least} to {points(known[most])} points at {most}."


ABLATION_EFFECT = ShapeMap(
    "ablation-effect",
    "Effect of ablation on accuracy",
    (_HIGHER, _ALIKE, _LOWER),
    _sort,
    _quantity,
    _strongest,
    remark=_remark,
).figure
