"""The regimes of shapes: what the six modes' trials say about how a shape trains.

The rules are those of the published study; the first that fires decides. B are the three baselines, A the three
ablative modes, Z the accuracy of always answering the most frequent class. With mu_B and s_B the mean and
population standard deviation of the three baseline means, s = max(s_B, 0.5 points), and mu_A the mean of the three
ablative means. ``RULES`` has them in order. Trials of further modes say nothing about a regime.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from psa_tui.analysis.frames import BASELINES, PUBLISHED_MODES, cell_percentages, shown_architectures
from psa_tui.analysis.shapes import (
    PUBLISHED_DATASET,
    count_text,
    family_of,
    parse_shape,
    shape_sizes,
    with_sizes,
)
from psa_tui.data import DATASETS
from psa_tui.errors import ConfigError
from psa_tui.formatting import did_you_mean

if TYPE_CHECKING:
    import numpy as np
    from pandas import DataFrame

    Array = np.ndarray[Any, np.dtype[Any]]


class Regime(StrEnum):
    """How a shape trains."""

    UNTRAINABLE = "untrainable"
    BENEFICIAL = "beneficial"
    OPTIMAL = "optimal"
    CHAOTIC = "chaotic"
    UNCLASSIFIED = "unclassified"
    """All six modes are there, and no rule fires."""

    @property
    def full_name(self) -> str:
        """The regime's full name."""
        return _FULL_NAMES[self]


_FULL_NAMES = {
    Regime.UNTRAINABLE: "architectural failure (untrainable)",
    Regime.BENEFICIAL: "beneficial regularization",
    Regime.OPTIMAL: "optimally sized",
    Regime.CHAOTIC: "chaotic optimization",
    Regime.UNCLASSIFIED: "no rule fires",
}


@dataclass(frozen=True, slots=True)
class Rule:
    """One way into a regime: its number, where it leads, and its condition in words."""

    number: str
    regime: Regime
    words: str


RULES = (
    Rule("-", Regime.UNCLASSIFIED, "no rule fires"),
    Rule("1a", Regime.UNTRAINABLE, "no mode's maximum exceeds Z"),
    Rule("1b", Regime.UNTRAINABLE, "no mode's mean and no ablative maximum exceeds Z"),
    Rule("2a", Regime.BENEFICIAL, "every baseline and every ablative mean is within s of mu_B"),
    Rule(
        "2b",
        Regime.BENEFICIAL,
        "no ablative mean exceeds mu_B + s, every baseline mean is within s of mu_B, and the largest ablative mean "
        "exceeds the smallest baseline mean by at least 0.01 points",
    ),
    Rule("3a", Regime.OPTIMAL, "mu_A is below mu_B - s"),
    Rule("3b", Regime.OPTIMAL, "the best baseline maximum exceeds the best ablative maximum, and mu_A <= mu_B"),
    Rule("4a", Regime.CHAOTIC, "no baseline maximum exceeds Z, but an ablative maximum does"),
    Rule("4b", Regime.CHAOTIC, "mu_A exceeds mu_B + 0.5 points"),
    Rule("4c", Regime.CHAOTIC, "some baseline's standard deviation over its trials exceeds 15 points"),
)
BOUNDARY = 0.95
"""A shape whose regime is less probable than this is near a boundary."""
_EXACT = 1e-9
"""Percentage points: differences of sums that ought to be equal are smaller, any real difference is larger."""
_B = len(BASELINES)
"""The last axis of all arrays below is ``PUBLISHED_MODES``: so many baselines, then the ablative modes."""


def classify(trials: DataFrame, zero_r: float | None = None) -> DataFrame:
    """Classify every shape, one row a shape.

    Columns: ``architecture``, ``depth``, ``width``, ``parameters``, ``regime`` and ``rule`` (the number of the rule
    that fired; both None unless all six modes have a trial), ``missing`` (the modes without one, separated by
    spaces), and as fractions ``mu_b``, ``s_b``, ``s``, ``mu_a``.

    Args:
        trials: a table of ``load_trials``.
        zero_r: Z, a fraction; None takes that of the trials' data set, or full MNIST's where a file names none.

    Raises:
        ConfigError: the data set's Z is not known.
    """
    import numpy as np
    import pandas as pd

    z = majority_class(trials, zero_r)
    rows: list[tuple[Any, ...]] = []
    values = cell_percentages(trials)
    architectures = shown_architectures(trials)
    for architecture in architectures:
        cells = [values.get((architecture, mode)) for mode in PUBLISHED_MODES]
        missing = " ".join(mode for mode, cell in zip(PUBLISHED_MODES, cells, strict=True) if cell is None)
        if missing:
            rows.append((architecture, None, None, missing, *[float("nan")] * 4))
            continue
        found = [cell for cell in cells if cell is not None]
        means, maxima, stds = (np.array([measure(cell) for cell in found]) for measure in (np.mean, np.max, np.std))
        rule = RULES[int(_fired(means, maxima, stds, z * 100))]
        mu_b, s_b, s, mu_a = (float(value) / 100 for value in _levels(means))
        rows.append((architecture, str(rule.regime), rule.number, "", mu_b, s_b, s, mu_a))
    columns = ["architecture", "regime", "rule", "missing", "mu_b", "s_b", "s", "mu_a"]
    table = with_sizes(pd.DataFrame(rows, columns=columns), shape_sizes(trials, architectures))
    for name in ("regime", "rule"):
        table[name] = table[name].astype("object").where(table[name].notna(), None)
    table.attrs = dict(trials.attrs) | {"zero_r": z}
    return table


def bootstrap(trials: DataFrame, resamples: int = 1000, seed: int = 0, zero_r: float | None = None) -> DataFrame:
    """Estimate how probable each regime is for each shape, had other trials of the same kind been drawn.

    Each resample draws, in every mode of a shape, as many trials as there are, with replacement (Efron, 1979), and
    is classified anew. A shape's draws depend on ``seed`` and the shape alone, not on the other shapes.

    Columns: ``architecture``, one for each ``Regime`` (a share of the resamples), ``probability`` (of the regime the
    trials themselves have), ``near_boundary`` (it is below ``BOUNDARY``). All are NaN, and ``near_boundary`` False,
    where a mode is missing or has fewer than two trials: one trial says nothing about others.
    """
    import numpy as np
    import pandas as pd

    z = majority_class(trials, zero_r)
    values = cell_percentages(trials)
    rows = []
    for row in classify(trials, z).itertuples():
        cells = [values.get((str(row.architecture), mode)) for mode in PUBLISHED_MODES]
        if any(cell is None or len(cell) < 2 for cell in cells):
            rows.append((row.architecture, *[float("nan")] * len(Regime), float("nan"), False))
            continue
        random = np.random.default_rng([seed, *_address(row)])
        drawn = [cell[random.integers(0, len(cell), (resamples, len(cell)))] for cell in cells if cell is not None]
        means, maxima, stds = (
            np.stack([measure(cell, axis=1) for cell in drawn], axis=1) for measure in (np.mean, np.max, np.std)
        )
        counts = np.bincount(_fired(means, maxima, stds, z * 100), minlength=len(RULES))
        shares = [
            sum(int(n) for n, rule in zip(counts, RULES, strict=True) if rule.regime is regime) / resamples
            for regime in Regime
        ]
        own = shares[list(Regime).index(Regime(row.regime))]
        rows.append((row.architecture, *shares, own, own < BOUNDARY))
    return pd.DataFrame(rows, columns=["architecture", *map(str, Regime), "probability", "near_boundary"])


def explain(trials: DataFrame, architecture: str, zero_r: float | None = None) -> list[str]:
    """Lines that say which rule decided the regime of ``architecture``, with the numbers it read (percent).

    Raises:
        ConfigError: the trials have no such shape.
    """
    import numpy as np

    table = classify(trials, zero_r)
    network = parse_shape(architecture, trials.attrs.get("dataset"), family_of(trials))
    name = architecture if network is None else network.short_name
    if name not in set(table["architecture"]):
        raise ConfigError(
            f"--explain {name}: the source has no trials of it; psa results regimes lists what it has"
            f"{did_you_mean(name, table['architecture'])}"
        )
    row = table[table["architecture"] == name].iloc[0]
    values = cell_percentages(trials)
    lines = [f"{name} ({count_text(row['parameters'])} parameters), Z = {100 * table.attrs['zero_r']:.2f} %"]
    for mode in PUBLISHED_MODES:
        cell = values.get((name, mode))
        if cell is None:
            lines.append(f"  {mode:<8} no trials")
        else:
            mean, std, largest = np.mean(cell), np.std(cell), np.max(cell)
            lines.append(f"  {mode:<8} mean {mean:7.3f}  std {std:6.3f}  max {largest:6.2f}  n {len(cell)}")
    if row["missing"]:
        return [*lines, f"no regime: no trials of {', '.join(row['missing'].split())}; the rules need all six modes"]
    levels = {"mu_B": row["mu_b"], "s_B": row["s_b"], "s": row["s"], "mu_A": row["mu_a"]}
    lines.append("  " + "  ".join(f"{name} {100 * value:.3f}" for name, value in levels.items()))
    rule = next(rule for rule in RULES if rule.number == row["rule"])
    return [*lines, f"{rule.regime.full_name}: rule {rule.number}, {rule.words}"]


def majority_class(trials: DataFrame, given: float | None) -> float:
    """Return Z of the trials, a fraction: what is ``given``, else that of their data set.

    Raises:
        ConfigError: it is not known.
    """
    dataset = trials.attrs.get("dataset") or PUBLISHED_DATASET
    spec = DATASETS.get(dataset) if given is None else None
    known = given if spec is None else spec.majority_class_accuracy
    if known is None:
        raise ConfigError(
            f"the majority class of {dataset}'s validation images is not known here; "
            f"psa dataset --dataset {dataset} shows it, give it with --zero-r PERCENT"
        )
    return known


def _address(row: Any) -> tuple[int, ...]:
    """Return what sets a shape's draws apart from other shapes': depth and width of ``18*18``, else its text."""
    if row.architecture == f"{row.depth:.0f}*{row.width:.0f}":
        return int(row.depth), int(row.width)
    return (zlib.crc32(row.architecture.encode()),)


def _levels(means: Array) -> tuple[Array, Array, Array, Array]:
    """Return mu_B, s_B, s and mu_A of ``means`` [..., modes], percent."""
    import numpy as np

    baselines, ablative = means[..., :_B], means[..., _B:]
    s_b = baselines.std(axis=-1)
    return baselines.mean(axis=-1), s_b, np.maximum(s_b, 0.5), ablative.mean(axis=-1)


def _fired(means: Array, maxima: Array, stds: Array, z: float) -> Array:
    """Return the index in ``RULES`` of the first rule that fires; the arrays are [..., modes], all in percent."""
    import numpy as np

    mu_b, _, s, mu_a = _levels(means)
    baselines, ablative = means[..., :_B], means[..., _B:]
    best_b, best_a = maxima[..., :_B].max(axis=-1), maxima[..., _B:].max(axis=-1)
    reach = s + _EXACT
    near_b = (np.abs(baselines - mu_b[..., None]) <= reach[..., None]).all(axis=-1)
    near_a = (np.abs(ablative - mu_b[..., None]) <= reach[..., None]).all(axis=-1)
    level = (ablative.max(axis=-1) <= mu_b + reach) & near_b
    lead = ablative.max(axis=-1) - baselines.min(axis=-1)
    conditions = [
        np.maximum(best_b, best_a) <= z + _EXACT,
        (means.max(axis=-1) <= z + _EXACT) & (best_a <= z + _EXACT),
        level & near_a,
        level & (lead >= 0.01 - _EXACT),
        mu_a < mu_b - s - _EXACT,
        (best_b > best_a + _EXACT) & (mu_a <= mu_b + _EXACT),
        (best_b <= z + _EXACT) & (best_a > z + _EXACT),
        mu_a > mu_b + 0.5 + _EXACT,
        stds[..., :_B].max(axis=-1) > 15 + _EXACT,
    ]
    return np.select(conditions, range(1, len(RULES)), default=0)
