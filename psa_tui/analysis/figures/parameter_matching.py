"""How large each shape is, and which shapes are no match of others with as many parameters."""

from __future__ import annotations

from psa_tui.analysis.figures.plane import Kind, Quantity, ShapeMap
from psa_tui.analysis.figures.study_results import StudyResults
from psa_tui.analysis.tables import parameter_matching

_MATCHED = Kind("matched", "o", "m")
_ASYMMETRIC = Kind("asymmetric", "^", "A")


def _sort(results: StudyResults) -> list[Kind]:
    return [
        _ASYMMETRIC if parameter_matching(depth, width) == "asymmetric" else _MATCHED
        for depth, width in zip(results.plane["depth"], results.plane["width"], strict=True)
    ]


def _quantity(results: StudyResults) -> Quantity:
    from matplotlib.colors import LogNorm

    sizes = results.plane["parameters"].astype(float)
    low, high = float(sizes.min()), float(max(sizes.max(), 2 * sizes.min()))
    words = {1e3: "1,000", 1e4: "10 k", 1e5: "100 k", 1e6: "1 M", 1e7: "10 M", 1e8: "100 M"}
    ticks = {size: word for size, word in words.items() if low <= size <= high}
    return Quantity(sizes, "parameters", "cividis", LogNorm(low, high), ticks)


def _remark(results: StudyResults) -> str:
    sizes = results.plane["parameters"]
    return (
        f"From {sizes.min():,} parameters at {sizes.idxmin()} to {sizes.max():,} at {sizes.idxmax()}. "
        "Asymmetric shapes are deeper than wide and narrower than five neurons."
    )


PARAMETER_MATCHING = ShapeMap(
    "parameter-matching", "Parameters, and how they match", (_MATCHED, _ASYMMETRIC), _sort, _quantity, remark=_remark
).figure
