"""How many trials are needed, and what a study could have seen, in words and tables."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from psa_tui.analysis.design.power import STUDIES, Aim, Answer, Means, Rates
from psa_tui.analysis.design.sensitivity import Sensitivity
from psa_tui.analysis.text_tables import Text, TextTable
from psa_tui.formatting import count
from psa_tui.studies.design.plan import Endpoint


def power_text(effect: Rates | Means, aim: Aim, answers: Mapping[str, Answer], shapes: int) -> Iterator[Text]:
    """Yield how many trials an effect needs: ``answers`` by how the trials are seeded."""
    yield f"{_effect(effect)}; {_aim(aim)}"
    each = [f"n in each of {shapes} shapes"] if shapes > 1 else []
    yield TextTable(
        ["seeding", "test", "formula", "n by formula", "n simulated", "power %", *each],
        [
            [
                seeding,
                one.test,
                one.formula,
                f"{one.n_by_formula:,}",
                f"{one.n:,}",
                f"{100 * one.simulated_power:.1f} +- {100 * one.simulated_error:.1f}",
                *[f"{math.ceil(one.n / shapes):,}" for _ in each],
            ]
            for seeding, one in answers.items()
        ],
        3,
    )
    yield from assumptions(effect, aim, shapes)


def assumptions(effect: Rates | Means, aim: Aim, shapes: int) -> Iterator[str]:
    """Yield what the answers take for granted, a sentence each."""
    kind = "a pair" if isinstance(effect, Rates) else "normal trials, equally scattered in both variants; a pair"
    yield (
        f"Assumed: {kind} correlates by {effect.correlation:g}; n is of each variant; n simulated is the first whose "
        f"power in {STUDIES:,} simulated studies, tested as psa study look tests them, reaches the aim."
    )
    if shapes > 1:
        yield "Assumed: the effect is the same in every shape, and all are pooled."


def sensitivity_text(name: str, found: Sequence[Sensitivity], aim: Aim) -> Iterator[Text]:
    """Yield what a study could have seen."""
    yield f"{name}: the smallest differences it could have seen; {_aim(aim)}"
    by_shape = any(one.shape is not None for one in found)
    yield TextTable(
        ["contrast", "endpoint", *["shape"] * by_shape, "seeds", "n", "spread", "smallest, points"],
        [
            [
                one.contrast,
                one.endpoint,
                *[one.shape or "all"] * by_shape,
                "paired" if one.paired else "independent",
                f"{one.n:,}",
                "-" if one.spread is None else f"{100 * one.spread:.2f}",
                "-" if one.smallest is None else f"{100 * one.smallest:.2f}",
            ]
            for one in found
        ],
        3 + by_shape,
    )
    yield (
        "From n and spread alone, not from the differences found. Spread: standard deviation within a shape, in "
        "points, of the differences of pairs or of independent trials; of escape, the percentage of pairs of which one "
        "escapes, or the control's rate. A dash: no difference is large enough, or the trials do not scatter."
    )
    if any(one.endpoint is Endpoint.VALIDATION for one in found):
        yield "Best validation accuracies are the best of many looks at the same images."


def _effect(effect: Rates | Means) -> str:
    if isinstance(effect, Rates):
        return f"escape rates of {100 * effect.control:g} and {100 * effect.treatment:g} %"
    return f"a difference of {100 * effect.difference:g} points, standard deviation {100 * effect.std:g}"


def _aim(aim: Aim) -> str:
    looks = f", {count(aim.looks, 'look')} ({aim.spending})" if aim.looks > 1 else ""
    sides = "two-sided" if aim.two_sided else "one-sided"
    return f"power {100 * aim.power:g} %, alpha {aim.alpha:.4g} {sides} a contrast{looks}"
