"""A registered study's looks and boundaries in words and tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from psa_tui.analysis.design.looks import claims, planned_boundaries
from psa_tui.analysis.text_tables import Text, TextTable
from psa_tui.formatting import count, points
from psa_tui.studies.design.plan import Correction, Direction
from psa_tui.studies.design.registration import Registration


def plan_text(registration: Registration) -> Iterator[Text]:
    """Yield the planned looks with the boundary of each."""
    design = registration.design
    family = len(claims(registration))
    taken = {number: look for number, look in enumerate(registration.looks, start=1)}
    corrected = design.correction is not Correction.NONE and family > 1
    yield (
        f"study {registration.name}: alpha {design.alpha:g}, {design.spending} spending, "
        f"{count(len(design.looks), 'look')}" + (f", {family} hypotheses (Holm)" if corrected else "")
    )
    yield TextTable(
        ["look", "trials", "boundary Z", "p below", "taken"],
        [
            [
                str(number),
                str(trials),
                f"{bound:.3f}",
                f"{level:.2g}",
                "yes" if number in taken else "",
            ]
            for number, (trials, (bound, level)) in enumerate(
                zip(design.looks, planned_boundaries(design, family), strict=True), start=1
            )
        ],
        0,
    )
    if corrected:
        yield "Two-sided, for the first hypothesis to be shown; Holm's correction eases the boundaries of the others."


def look_text(registration: Registration, is_new: bool) -> Iterator[Text]:
    """Yield what the last look found."""
    design, look = registration.design, registration.looks[-1]
    number = len(registration.looks)
    counted = "counted now" if is_new else f"taken {look.taken_at[:16].replace('T', ' ')} UTC; no new trials since"
    yield (
        f"study {registration.name}, look {number} of {len(design.looks)} ({counted}): {count(look.trials, 'trial')} "
        f"of {design.looks[-1]} in every cell, {100 * look.fraction:.0f} % of the information"
    )
    yield TextTable(
        ["hypothesis", "shape", "test", "n", "difference", "interval", "p", "p below", "shown"],
        [_row(one) for one in look.results],
        3,
    )
    to_come = [trials for trials in design.looks if trials > look.trials]
    if to_come and any(one["shown_at"] is None for one in look.results):
        yield f"What is not shown yet may be at the next look, at {to_come[0]} trials."
    elif any(one["shown_at"] is None for one in look.results):
        yield "What is not shown is not refuted. psa results power says which effects the study could have seen."
    equivalence = any(one.direction is Direction.EQUIVALENT for one in design.hypotheses)
    yield (
        "Differences in points, with repeated confidence intervals, which hold at all looks together; p is compared "
        "with the boundary in force." + (" An equivalence is shown where both sides are." if equivalence else "")
    )


def _row(result: Mapping[str, Any]) -> list[str]:
    interval = "-" if result["low"] is None else f"{_points(result['low'])} to {_points(result['high'])}"
    return [
        result["hypothesis"],
        result["shape"] or "all",
        result["test"] or "-",
        str(result["n"] or 0),
        "-" if result["estimate"] is None else _points(result["estimate"]),
        interval,
        "-" if result["p"] is None else f"{result['p']:.2g}",
        f"{result['boundary_p']:.2g}",
        f"look {result['shown_at']}" if result["shown_at"] else "no",
    ]


def _points(difference: float) -> str:
    """Return a difference in points, one of nothing without a sign of less than nothing."""
    return points(round(difference, 9) + 0.0)
