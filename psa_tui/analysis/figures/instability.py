"""How much a shape's trials differ: the largest of its modes' standard deviations."""

from __future__ import annotations

from psa_tui.analysis.figures.plane import UNKNOWN, Kind, Quantity, ShapeMap
from psa_tui.analysis.figures.study_results import StudyResults

_TICKS = {0.01: "0.01", 0.1: "0.1", 1.0: "1", 10.0: "10"}
_CALM = Kind("below 0.5 points", "o", ".")
_UNEASY = Kind("0.5 to 5 points", "s", "s")
_WILD = Kind("over 5 points", "^", "W")


def _sort(results: StudyResults) -> list[Kind]:
    return [
        UNKNOWN if std != std else _CALM if std < 0.005 else _UNEASY if std <= 0.05 else _WILD
        for std in results.plane["instability"]
    ]


def _quantity(results: StudyResults) -> Quantity:
    from matplotlib.colors import LogNorm

    stds = (100 * results.plane["instability"]).clip(lower=0.01)
    return Quantity(stds, "standard deviation (points)", "cividis_r", LogNorm(0.01, 50, clip=True), _TICKS)


def _most_unstable(results: StudyResults) -> list[str]:
    return list(results.plane["instability"].dropna().sort_values(ascending=False, kind="stable").index)


def _remark(results: StudyResults) -> str:
    names = _most_unstable(results)
    if not names:
        return "No mode has trials."
    return f"The largest is {100 * results.plane.at[names[0], 'instability']:.2f} points at {names[0]}."


INSTABILITY = ShapeMap(
    "instability",
    "Instability: spread between trials",
    (_WILD, _UNEASY, _CALM),
    _sort,
    _quantity,
    _most_unstable,
    remark=_remark,
).figure
