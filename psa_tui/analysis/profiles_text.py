"""Aggregates and performance profiles as text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from psa_tui.analysis.comparison import CONTROL
from psa_tui.analysis.profiles import BUDGETS
from psa_tui.analysis.text_tables import NO_NUMBER, Text, TextTable, percentage

if TYPE_CHECKING:
    from pandas import DataFrame

    from psa_tui.analysis.endpoints import Endpoint


def profiles_text(table: DataFrame, profiles: DataFrame, endpoint: Endpoint) -> Iterator[Text]:
    """Show ``aggregate_table`` and ``profile_table``."""
    if table.empty:
        yield "no shape has trials of all modes"
        return
    shapes = int(table["shapes"].iloc[0])
    yield f"{endpoint.words}, percent, {shapes} {'shape that has' if shapes == 1 else 'shapes that have'} all modes"
    if endpoint.remark:
        yield endpoint.remark
    yield ""
    yield TextTable(
        ["mode", "n", "mean", "95 %", "median", "middle half", "95 %", f"beats {CONTROL}", "95 %"],
        [
            [
                row.mode,
                str(row.n),
                percentage(row.mean),
                _interval(row.mean_low, row.mean_high),
                percentage(row.median),
                percentage(row.iqm),
                _interval(row.iqm_low, row.iqm_high),
                percentage(row.improvement, ".1f"),
                _interval(row.improvement_low, row.improvement_high),
            ]
            for row in table.itertuples()
        ],
    )
    yield ""
    yield "expected best of so many trials: who reports the best of ten reports this, not the mean"
    yield TextTable(
        ["mode", *map(str, BUDGETS)],
        [[row.mode, *(percentage(getattr(row, f"best_of_{one}")) for one in BUDGETS)] for row in table.itertuples()],
        about=endpoint.words,
    )
    yield ""
    yield "percent of the trials above an accuracy of"
    levels = list(dict.fromkeys(profiles["level"]))
    yield TextTable(
        ["mode", *(f"{100 * level:.0f} %" for level in levels)],
        [
            [str(mode), *(percentage(share, ".1f") for share in rows["share"])]
            for mode, rows in profiles.groupby("mode", sort=False)
        ],
        about=endpoint.words,
    )
    yield ""
    yield (
        "middle half: mean of the trials between the lowest and the highest quarter, which wild ones do not move; "
        f"beats {CONTROL}: how often a trial is better than one of {CONTROL} of the same shape (50: a coin). 95 %: "
        "studentised bootstrap for the mean (Hall, 1988), percentile bootstrap for the others (Agarwal et al., 2021), "
        "within shapes"
    )


def _interval(low: Any, high: Any) -> str:
    return NO_NUMBER if low != low else f"{100 * low:.1f}-{100 * high:.1f}"
