"""Which axis of a study's design its results follow: shape, depth, width, mode, seed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from psa_tui.analysis.statistics.variance_explained import eta_squared
from psa_tui.analysis.text_tables import Text, TextTable, percentage

if TYPE_CHECKING:
    from pandas import DataFrame, Series

    from psa_tui.analysis.endpoints import Endpoint

_CELL = "shape and mode"


def importance_table(trials: DataFrame, endpoint: Endpoint) -> DataFrame:
    """Return one row for each axis that varies: ``axis``, ``levels``, ``n``, ``eta_squared`` and ``by_chance``.

    Trials whose value is not known, or whose place on an axis is not, are left out of that axis.
    """
    import numpy as np
    import pandas as pd

    rows = []
    for name, column in _axes(trials):
        known = np.isfinite(endpoint.values) & column.notna().to_numpy()
        values, groups = endpoint.values[known], column[known].astype(str).to_numpy()
        if len(values) < 2 or not 1 < len(set(groups)) < len(groups):
            continue
        found = eta_squared(values, groups)
        rows.append({"axis": name, "n": len(values), **found._asdict()})
    return pd.DataFrame(rows, columns=["axis", "levels", "n", "eta_squared", "by_chance"])


def importance_text(table: DataFrame, endpoint: Endpoint) -> Iterator[Text]:
    """Show ``importance_table``."""
    if table.empty:
        yield "no axis has two values with trials, and one of them two trials: nothing can be told apart"
        return
    yield f"{endpoint.words}: percent of its variance over all trials that goes with each axis"
    yield ""
    yield TextTable(
        ["axis", "levels", "trials", "eta2 %", "by chance %"],
        [
            [
                row.axis,
                f"{row.levels:,}",
                f"{row.n:,}",
                *(percentage(value, ".1f") for value in (row.eta_squared, row.by_chance)),
            ]
            for row in table.itertuples()
        ],
    )
    yield ""
    yield (
        "eta2: sum of squares between the levels over the total (one-way); by chance: its mean if trials were dealt "
        "out to the levels at random. It describes this design: another choice of shapes or modes has other "
        "shares, axes that go together share theirs, and no test is made."
    )
    if (table["axis"] == _CELL).any():
        yield f"{_CELL}: every cell a level; what it leaves is the spread of trials within a cell."
    if endpoint.remark:
        yield endpoint.remark


def _axes(trials: DataFrame) -> Iterator[tuple[str, Series[str]]]:
    yield from ((name, trials[column]) for name, column in (("shape", "architecture"), ("depth", "depth")))
    yield from ((name, trials[name]) for name in ("width", "mode"))
    if trials["architecture"].nunique() > 1 and trials["mode"].nunique() > 1:
        yield _CELL, trials["architecture"] + " " + trials["mode"]
    yield "seed", trials["seed"]
