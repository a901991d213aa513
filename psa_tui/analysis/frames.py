"""The one form every source's tables are brought into: columns, types and order."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from psa_tui.analysis.shapes import network_attr, size_of, with_sizes
from psa_tui.errors import DataError
from psa_tui.method.variants import FIRST_STUDY, PUBLISHED, ordered
from psa_tui.networks import Mlp

if TYPE_CHECKING:
    import numpy as np
    from pandas import DataFrame, Series

    Array = np.ndarray[Any, np.dtype[Any]]

TRIAL_COLUMNS = (
    "source",
    "study",
    "architecture",
    "depth",
    "width",
    "parameters",
    "mode",
    "trial",
    "seed",
    "meta_loops",
    "best_validation_accuracy",
    "best_meta_loop",
    "test_accuracy",
    "lkg_dead",
    "lkg_inactive",
)
LOOP_COLUMNS = (
    "architecture",
    "mode",
    "trial",
    "meta_loop",
    "validation_accuracy",
    "lkg_accuracy",
    "lkg_gain",
    "verdict",
    "train_loss",
    "train_accuracy",
    "ablated_layer",
    "ablated_neuron",
    "ablated_units",
    "ablated_dead_units",
    "reason",
    "lkg_dead",
    "lkg_inactive",
)
PUBLISHED_MODES = tuple(variant.name for variant in PUBLISHED)
"""The six modes of the published study, the three baselines first."""
BASELINES = tuple(variant.name for variant in PUBLISHED if not variant.ablates)
ABLATIVE = tuple(variant.name for variant in PUBLISHED if variant.ablates)
MOST_CELLS = 5_000_000
"""Shapes times modes times trials: 850 times those of the published study."""
_FIRST_STUDY_MODES = tuple(variant.name for variant in FIRST_STUDY)
_OF_LKG = ("lkg_dead", "lkg_inactive")
_WHOLE_NUMBERS = ("seed", "meta_loops", "best_meta_loop", *_OF_LKG)
_WHOLE_NUMBERS_OF_LOOPS = ("ablated_layer", "ablated_neuron", "ablated_units", "ablated_dead_units", *_OF_LKG)


def completed_frame(
    rows: DataFrame,
    *,
    source: str,
    study: str,
    expected: dict[str, Any] | None = None,
    dataset: str | None = None,
    quick: bool = False,
    settings: dict[str, Any] | None = None,
    network: str = Mlp.family,
) -> DataFrame:
    """Return ``rows`` (architecture, mode, trial, best_validation_accuracy and what else is known) as trials.

    Raises:
        DataError: the table that shows all of them would be larger than ``MOST_CELLS``.
    """
    recorded: dict[str, Any] = {}
    if "parameters" in rows:
        recorded = rows.dropna(subset=["parameters"]).set_index("architecture")["parameters"].to_dict()
    names = rows["architecture"].unique()
    sizes = {name: size_of(name, dataset, network, recorded.get(name)) for name in names}
    about = [name for name in rows.columns if name not in ("depth", "width", "parameters")]
    table = with_sizes(rows[about].assign(source=source, study=study), sizes)
    for name in TRIAL_COLUMNS:
        if name not in table:
            table[name] = float("nan")
    for name in _WHOLE_NUMBERS:
        if name in table:
            table[name] = table[name].astype("Int64")
    table["trial"] = table["trial"].astype("int64")
    for name in ("best_validation_accuracy", "test_accuracy"):
        table[name] = table[name].astype("float64")
    table = _sorted(table, expected["architectures"] if expected else [])[list(TRIAL_COLUMNS)]
    table.attrs = {
        "source": source,
        "study": study,
        "quick": quick,
        "expected": expected,
        "dataset": dataset,
        "settings": settings or {},
    } | network_attr(network)
    _check_size(table)
    return table


def _check_size(trials: DataFrame) -> None:
    """Refuse what a slip of the pen makes huge: a date for a trial's number."""
    sizes = len(shown_architectures(trials)), len(shown_modes(trials)), trial_count(trials)
    if math.prod(sizes) > MOST_CELLS:
        shapes, modes, last = sizes
        raise DataError(
            f"{trials.attrs['source']}: {shapes} shapes, {modes} modes and trials up to {last:,} make a table of "
            f"{math.prod(sizes):,} cells, expected at most {MOST_CELLS:,}; check the numbers of the trials"
        )


def trial_count(trials: DataFrame) -> int:
    """Return how many trials a cell should have: as many as the study planned, or the highest number met."""
    expected = trials.attrs.get("expected") or {"trials": 0}
    return max(int(expected["trials"]), int(trials["trial"].max()) if len(trials) else 0)


def completed_loops(rows: DataFrame, *, architectures: list[str]) -> DataFrame:
    """Return ``rows`` with ``validation_accuracy`` and ``verdict`` as a table of meta-loops, and follow the LKG.

    The LKG's accuracy is that of the last promoted candidate, whatever rule promoted it.
    """
    table = _sorted(rows, architectures, "meta_loop")
    for name in LOOP_COLUMNS:
        if name not in table:
            table[name] = float("nan")
    for name in _WHOLE_NUMBERS_OF_LOOPS:
        table[name] = table[name].astype("Int64")
    table["reason"] = table["reason"].astype("object").where(table["reason"].notna(), "")
    for name in ("train_loss", "train_accuracy"):
        table[name] = table[name].astype("float64")
    trial = [table["architecture"], table["mode"], table["trial"]]
    promoted = table["verdict"] == "promoted"
    lkg = table["validation_accuracy"].where(promoted).groupby(trial, sort=False).ffill()
    before = lkg.groupby(trial, sort=False).shift()
    table["lkg_accuracy"] = lkg
    table["lkg_gain"] = (lkg - before).where(before.notna())
    return table[list(LOOP_COLUMNS)]


def shown_modes(trials: DataFrame) -> tuple[str, ...]:
    """Return the modes that tables show of ``trials``, those with no trial included.

    The first study's four when a table has (and its study expected) no other published mode, else all six; then any
    further ones. A study of further modes alone shows these alone.
    """
    expected = trials.attrs.get("expected") or {"modes": []}
    named = {*trials["mode"].unique(), *expected["modes"]}
    further = named.difference(PUBLISHED_MODES)
    if named and named == further:
        return ordered(named)
    published = _FIRST_STUDY_MODES if named - further <= set(_FIRST_STUDY_MODES) else PUBLISHED_MODES
    return ordered([*published, *further])


def shown_architectures(trials: DataFrame) -> list[str]:
    """Return the shapes the study expected, in its order, then any others of the table."""
    expected = trials.attrs.get("expected") or {"architectures": []}
    return list(dict.fromkeys([*expected["architectures"], *trials["architecture"].unique()]))


def cell_percentages(trials: DataFrame) -> dict[tuple[str, str], Array]:
    """Return the best validation accuracies (percent) of each architecture and mode, in the order of its trials."""
    values = percentages(trials["best_validation_accuracy"]).to_numpy()
    return {cell: values[rows] for cell, rows in cell_rows(trials).items()}


def cell_rows(trials: DataFrame) -> dict[tuple[str, str], Array]:
    """Return the positions of each cell's rows in the table, cells in the order of the table."""
    key = trials[["architecture", "mode"]].copy()
    key.attrs = {}  # pandas would copy them, deeply, for every group
    groups = key.groupby(["architecture", "mode"], sort=False).indices
    return dict(sorted(groups.items(), key=lambda item: int(item[1][0])))


def percentages(fractions: Series[float]) -> Series[float]:
    """Return fractions as percentages without the last bits that multiplying adds: 0.9822 gives 98.22 exactly."""
    return (fractions * 100).round(10)


def _sorted(table: DataFrame, architectures: list[str], *more: str) -> DataFrame:
    """Sort rows by shape (in the given order, then as they appear), mode and trial."""
    shapes = dict.fromkeys([*architectures, *table["architecture"].unique()])
    modes = ordered(table["mode"].unique())
    keys = table.assign(
        _shape=table["architecture"].map({name: index for index, name in enumerate(shapes)}),
        _mode=table["mode"].map({name: index for index, name in enumerate(modes)}),
    )
    table = keys.sort_values(["_shape", "_mode", "trial", *more], kind="stable", ignore_index=True)
    return table.drop(columns=["_shape", "_mode"])
