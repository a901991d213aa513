"""Contrasts of two modes, shape by shape and pooled over shapes, by the test that fits how trials were seeded.

Every shape has the same weight. Where seeds are paired, pairs of trials are compared: Student's t for the interval,
flipped signs for p (of escapes McNemar's test). Where they are not: Welch's interval, labels exchanged within shapes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psa_tui.analysis.comparison import CONTROL, TOLERANCE
from psa_tui.analysis.frames import ABLATIVE, cell_rows, shown_architectures
from psa_tui.analysis.placebo import halves, placebo_modes
from psa_tui.analysis.seeding import Design, design_within
from psa_tui.analysis.statistics.differences import independent_difference, paired_difference
from psa_tui.analysis.statistics.escape import logistic_model, mcnemar
from psa_tui.analysis.statistics.multiplicity import benjamini_hochberg, holm
from psa_tui.analysis.statistics.permutation import exchange_labels, sign_flip
from psa_tui.errors import ConfigError
from psa_tui.formatting import did_you_mean, printable
from psa_tui.method.variants import ordered

if TYPE_CHECKING:
    import numpy as np
    from pandas import DataFrame

    from psa_tui.analysis.endpoints import Endpoint

    Array = np.ndarray[Any, np.dtype[Any]]
    Strata = Sequence[tuple[Array, Array]]
    Arms = Mapping[str, tuple[Array, Array]]
    _Compared = tuple[str, str, Design, Arms]

DECLARED, EXPLORATORY, PLACEBO = "declared", "exploratory", "A/A"
"""What a contrast is: of the family that was declared, any other, or one whose two sides do not differ."""
_CONTRAST = re.compile(r"\s*(\S+)\s+-\s+(\S+)\s*")


@dataclass(frozen=True, slots=True)
class Contrast:
    """A mode against another."""

    treatment: str
    control: str = CONTROL

    def __str__(self) -> str:
        """Return what ``parse_contrasts`` reads."""
        return f"{self.treatment} - {self.control}"


def parse_contrasts(texts: Sequence[str], trials: DataFrame) -> list[Contrast]:
    """Return the contrasts that ``texts`` name, "output - none".

    Raises:
        ConfigError: one is none, names a mode without trials, compares a mode with itself, or is there twice.
    """
    known, found = ordered(trials["mode"].unique()), []
    for text in texts:
        said = f"--contrast {printable(text)[:80]!r}"
        match = _CONTRAST.fullmatch(text)
        if match is None:
            raise ConfigError(f'{said}: expected two modes, " - " between them, as in "output - none"')
        contrast = Contrast(*match.groups())
        for mode in match.groups():
            if mode not in known:
                has = ", ".join(known[:12]) or "none"
                raise ConfigError(
                    f"{said}: no trials of mode {printable(mode)}; there are {has}{did_you_mean(mode, known)}"
                )
        if contrast.treatment == contrast.control:
            raise ConfigError(f"{said}: a mode is compared with itself; name another")
        if contrast in found:
            raise ConfigError(f"{said}: it is there twice; leave one out")
        found.append(contrast)
    return found


def contrast_table(
    trials: DataFrame, endpoint: Endpoint, contrasts: Sequence[Contrast] = (), margin: float = TOLERANCE
) -> DataFrame:
    """Compare modes pooled over all shapes that have both, and shape by shape.

    Without ``contrasts`` the declared family is each of the published ablative modes against none, and all other modes
    against none are exploratory. With them they are the family. Contrasts in which nothing differs (``placebo``) stand
    beside it. Holm's correction is over the pooled contrasts of the family, Benjamini and Hochberg's over the pooled
    exploratory ones, and over all shapes' contrasts together.

    Columns: ``contrast``, ``kind`` (``DECLARED``, ``EXPLORATORY``, ``PLACEBO``), ``architecture`` (None: pooled),
    ``design``, ``shapes``, ``n_a``, ``n_b``, ``mean_a``, ``mean_b`` (of the shapes' means), ``difference`` with its
    95 % interval ``low``, ``high``, ``p``, ``p_corrected``, ``p_equivalent`` (TOST: that the difference is ``margin``
    or more); of an escape, pooled, ``odds_ratio``, ``odds_low``, ``odds_high``, ``odds_p``, ``odds_problem``.
    Fractions; NaN where it cannot be computed.
    """
    return _table([*_family(trials, endpoint, contrasts), *_placebos(trials, endpoint, contrasts)], endpoint, margin)


def placebo_table(trials: DataFrame, endpoint: Endpoint, margin: float = TOLERANCE) -> DataFrame:
    """Return ``contrast_table`` of A/A comparisons alone, with the halves of every mode."""
    every = [Contrast(mode, mode) for mode in ordered(trials["mode"].unique())]
    return _table(_placebos(trials, endpoint, every), endpoint, margin)


def _table(compared: Iterable[_Compared], endpoint: Endpoint, margin: float) -> DataFrame:
    import pandas as pd

    rows = []
    for name, kind, design, arms in compared:
        about = {"contrast": name, "kind": kind, "design": str(design)}
        if not arms:
            continue
        strata = list(arms.values())
        p, each = probabilities(strata, design, endpoint.is_escape)
        rows.append(about | {"architecture": None, "p": p} | estimates(strata, design, margin))
        if endpoint.is_escape:
            rows[-1] |= _odds(strata)
        for architecture, pair, single in zip(arms, strata, each, strict=True):
            rows.append(about | {"architecture": architecture, "p": single} | estimates([pair], design, margin))
    table = pd.DataFrame(rows, columns=[*_COLUMNS, *(_ODDS if endpoint.is_escape else ())])
    table["architecture"] = table["architecture"].astype("object").where(table["architecture"].notna(), None)
    table["p_corrected"] = float("nan")
    pooled = table["architecture"].isna()
    for chosen, correct in (
        (pooled & (table["kind"] == DECLARED), holm),
        (pooled & (table["kind"] == EXPLORATORY), benjamini_hochberg),
        (~pooled & (table["kind"] != PLACEBO), benjamini_hochberg),
    ):
        table.loc[chosen, "p_corrected"] = correct(table.loc[chosen, "p"].to_numpy(dtype=float))
    return table


def probabilities(strata: Strata, design: Design, is_escape: bool) -> tuple[float, list[float]]:
    """Return the p-value over all shapes, and that of each."""
    import numpy as np

    if design is Design.INDEPENDENT:
        return exchange_labels(strata)
    if is_escape:
        both = [np.concatenate(side) > 0.5 for side in zip(*strata, strict=True)]
        return mcnemar(both[0], both[1]), [mcnemar(a > 0.5, b > 0.5) for a, b in strata]
    differences = [(a - b) / len(a) for a, b in strata]
    return sign_flip(np.concatenate(differences)), [sign_flip(one) for one in differences]


def estimates(strata: Strata, design: Design, margin: float) -> dict[str, Any]:
    """Return what ``contrast_table`` says of two modes over some shapes, without its p."""
    paired = design is Design.PAIRED
    found = paired_difference([a - b for a, b in strata]) if paired else independent_difference(strata)
    low, high = found.interval()
    return {
        "shapes": len(strata),
        "n_a": sum(len(a) for a, _ in strata),
        "n_b": sum(len(b) for _, b in strata),
        "mean_a": sum(float(a.mean()) for a, _ in strata) / len(strata),
        "mean_b": sum(float(b.mean()) for _, b in strata) / len(strata),
        "difference": found.value,
        "low": low,
        "high": high,
        "p_equivalent": found.equivalence(margin),
    }


def arms_of(trials: DataFrame, values: Array, contrast: Contrast, design: Design) -> dict[str, tuple[Array, Array]]:
    """Return the values of both modes in every shape that has both; of paired ones, those of the trials of both."""
    import numpy as np

    rows, numbers, found = cell_rows(trials), trials["trial"].to_numpy(), {}
    for architecture in shown_architectures(trials):
        a, b = (rows.get((architecture, mode)) for mode in (contrast.treatment, contrast.control))
        if a is None or b is None:
            continue
        if design is Design.PAIRED:
            _, at_a, at_b = np.intersect1d(numbers[a], numbers[b], return_indices=True)
            a, b = a[at_a], b[at_b]
        if len(a):
            found[architecture] = values[a], values[b]
    return found


def _family(trials: DataFrame, endpoint: Endpoint, contrasts: Sequence[Contrast]) -> Iterator[_Compared]:
    """Yield name, kind, design and values of the declared contrasts, and of the exploratory ones."""
    placebos = placebo_modes(trials)
    declared = list(contrasts) or [Contrast(mode) for mode in _modes(trials) if mode in ABLATIVE]
    others = [] if contrasts else [Contrast(mode) for mode in _modes(trials) if mode not in (*ABLATIVE, *placebos)]
    for kind, family in ((DECLARED, declared), (EXPLORATORY, others)):
        for contrast in family:
            design = _design(trials, contrast)
            yield str(contrast), kind, design, arms_of(trials, endpoint.values, contrast, design)


def _placebos(trials: DataFrame, endpoint: Endpoint, contrasts: Sequence[Contrast]) -> Iterator[_Compared]:
    """Yield the A/A comparisons: modes that train as none does, and halves of the contrasts' controls."""
    for pair in map(Contrast, placebo_modes(trials)):
        if pair in contrasts:  # of the family, then
            continue
        design = _design(trials, pair)
        yield str(pair), PLACEBO, design, arms_of(trials, endpoint.values, pair, design)
    for control in dict.fromkeys(contrast.control for contrast in contrasts) or [CONTROL]:
        yield f"{control}: odd - even", PLACEBO, Design.INDEPENDENT, halves(trials, endpoint.values, control)


def _design(trials: DataFrame, contrast: Contrast) -> Design:
    return design_within(trials[trials["mode"].isin((contrast.treatment, contrast.control))])


def _modes(trials: DataFrame) -> list[str]:
    """Return the modes that may be compared with none."""
    present = ordered(trials["mode"].unique())
    return [mode for mode in present if mode != CONTROL] if CONTROL in present else []


def _odds(strata: Strata) -> dict[str, Any]:
    """Return the odds ratio of an escape by the logistic model of ``statistics.escape``."""
    import numpy as np

    sides = [(side, index, side is pair[0]) for index, pair in enumerate(strata) for side in pair]
    escaped = np.concatenate([side for side, _, _ in sides]) > 0.5
    shape, treated = (np.repeat([side[place] for side in sides], [len(side[0]) for side in sides]) for place in (1, 2))
    found = logistic_model(escaped, treated, shape)
    return dict(zip(_ODDS, (found.value, found.low, found.high, found.p, found.problem), strict=True))


_COLUMNS = [
    *("contrast", "kind", "architecture", "design", "shapes", "n_a", "n_b"),
    *("mean_a", "mean_b", "difference", "low", "high", "p", "p_corrected", "p_equivalent"),
]
_ODDS = ("odds_ratio", "odds_low", "odds_high", "odds_p", "odds_problem")
