"""How well each shape does without ablation: the mean of its baseline modes."""

from __future__ import annotations

from psa_tui.analysis.figures.plane import UNKNOWN, Kind, Quantity, ShapeMap
from psa_tui.analysis.figures.study_results import StudyResults
from psa_tui.formatting import percent

_TICKS = {0.0: "0", 25.0: "25", 50.0: "50", 75.0: "75", 100.0: "100"}
_GUESSING = Kind("majority class or less", "x", "x")
_POOR = Kind("below 50 %", "v", "1")
_FAIR = Kind("50 to 90 %", "D", "5")
_GOOD = Kind("90 % and more", "o", "9")


def _kind(accuracy: float, majority: float | None) -> Kind:
    if accuracy != accuracy:
        return UNKNOWN
    if majority is not None and accuracy <= majority + 1e-9:
        return _GUESSING
    return _POOR if accuracy < 0.5 else _FAIR if accuracy < 0.9 else _GOOD


def _sort(results: StudyResults) -> list[Kind]:
    return [_kind(accuracy, results.majority) for accuracy in results.plane["baseline"]]


def _quantity(results: StudyResults) -> Quantity:
    from matplotlib.colors import Normalize

    return Quantity(100 * results.plane["baseline"], "mean accuracy (%)", "cividis", Normalize(0, 100), _TICKS)


def _remark(results: StudyResults) -> str:
    known = results.plane["baseline"].dropna()
    if known.empty:
        return "No baseline mode has trials."
    best, worst = known.idxmax(), known.idxmin()
    return f"The highest is {best} with {percent(known[best])}, the lowest {worst} with {percent(known[worst])}."


BASELINE_ACCURACY = ShapeMap(
    "baseline-accuracy",
    "Validation accuracy of the baselines",
    (_GOOD, _FAIR, _POOR, _GUESSING),
    _sort,
    _quantity,
    lambda results: list(results.plane["baseline"].sort_values(ascending=False, kind="stable").index[:4]),
    remark=_remark,
).figure
