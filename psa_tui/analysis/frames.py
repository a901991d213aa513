"""The one form every source's tables are brought into: columns, types and order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psa_tui.method.variants import AblationMode
from psa_tui.studies.grids import parse_shape

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
    "ablated_layer",
    "ablated_neuron",
)
MODES = tuple(str(mode) for mode in AblationMode)
_FIRST_STUDY_MODES = ("none", "full", "hidden", "output")
_WHOLE_NUMBERS = ("seed", "meta_loops", "best_meta_loop", "ablated_layer", "ablated_neuron")


def completed_frame(
    rows: DataFrame,
    *,
    source: str,
    study: str,
    expected: dict[str, Any] | None = None,
    dataset: str | None = None,
    quick: bool = False,
    settings: dict[str, Any] | None = None,
) -> DataFrame:
    """``rows`` (architecture, mode, trial, best_validation_accuracy and what else is known) as a table of trials."""
    shapes = {text: parse_shape(text) for text in rows["architecture"].unique()}
    table = rows.assign(
        source=source,
        study=study,
        depth=rows["architecture"].map({text: shape.depth for text, shape in shapes.items()}).astype("int64"),
        width=rows["architecture"].map({text: shape.width for text, shape in shapes.items()}).astype("int64"),
        parameters=rows["architecture"].map({text: shape.parameters for text, shape in shapes.items()}).astype("int64"),
    )
    for name in TRIAL_COLUMNS:
        if name not in table:
            table[name] = float("nan")
    for name in _WHOLE_NUMBERS:
        if name in table:
            table[name] = table[name].astype("Int64")
    table["trial"] = table["trial"].astype("int64")
    for name in ("best_validation_accuracy", "test_accuracy"):
        table[name] = table[name].astype("float64")
    table = _ordered(table, expected["architectures"] if expected else [])[list(TRIAL_COLUMNS)]
    table.attrs = {
        "source": source,
        "study": study,
        "quick": quick,
        "expected": expected,
        "dataset": dataset,
        "settings": settings or {},
    }
    return table


def completed_loops(rows: DataFrame, *, architectures: list[str]) -> DataFrame:
    """``rows`` with ``validation_accuracy`` and ``verdict`` as a table of meta-loops, with the LKG followed."""
    table = _ordered(rows, architectures, "meta_loop")
    for name in LOOP_COLUMNS:
        if name not in table:
            table[name] = float("nan")
    for name in ("ablated_layer", "ablated_neuron"):
        table[name] = table[name].astype("Int64")
    table["train_loss"] = table["train_loss"].astype("float64")
    trial = [table["architecture"], table["mode"], table["trial"]]
    promoted = table["verdict"] == "promoted"
    lkg = table["validation_accuracy"].where(promoted).groupby(trial, sort=False).ffill()
    before = lkg.groupby(trial, sort=False).shift()
    table["lkg_accuracy"] = lkg
    table["lkg_gain"] = (lkg - before).where(before.notna())
    return table[list(LOOP_COLUMNS)]


def shown_modes(trials: DataFrame) -> tuple[str, ...]:
    """The first study's four modes when a table has (and its study expected) no other, else all six."""
    expected = trials.attrs.get("expected") or {"modes": []}
    named = {*trials["mode"].unique(), *expected["modes"]}
    return _FIRST_STUDY_MODES if named <= set(_FIRST_STUDY_MODES) else MODES


def shown_architectures(trials: DataFrame) -> list[str]:
    """The shapes the study expected, in its order, then any others of the table."""
    expected = trials.attrs.get("expected") or {"architectures": []}
    return list(dict.fromkeys([*expected["architectures"], *trials["architecture"].unique()]))


def cell_percentages(trials: DataFrame) -> dict[tuple[str, str], Array]:
    """The best validation accuracies (percent) of each architecture and mode, in the order of its trials."""
    values = percentages(trials["best_validation_accuracy"]).to_numpy()
    return {cell: values[rows] for cell, rows in cell_rows(trials).items()}


def cell_rows(trials: DataFrame) -> dict[tuple[str, str], Array]:
    """The positions of each cell's rows in the table, cells in the order of the table."""
    key = trials[["architecture", "mode"]].copy()
    key.attrs = {}  # pandas would copy them, deeply, for every group
    groups = key.groupby(["architecture", "mode"], sort=False).indices
    return dict(sorted(groups.items(), key=lambda item: int(item[1][0])))


def percentages(fractions: Series[float]) -> Series[float]:
    """Fractions as percentages without the last bits that multiplying adds: 0.9822 gives 98.22 exactly."""
    return (fractions * 100).round(10)


def _ordered(table: DataFrame, architectures: list[str], *more: str) -> DataFrame:
    """Rows by shape (in the given order, then as they appear), mode and trial."""
    order = list(dict.fromkeys([*architectures, *table["architecture"].unique()]))
    keys = table.assign(
        _shape=table["architecture"].map({name: index for index, name in enumerate(order)}),
        _mode=table["mode"].map({name: index for index, name in enumerate(MODES)}),
    )
    ordered = keys.sort_values(["_shape", "_mode", "trial", *more], kind="stable", ignore_index=True)
    return ordered.drop(columns=["_shape", "_mode"])
