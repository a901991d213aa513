"""Loops until escape as text: modes beside none, then how many have escaped by which loop."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from psa_tui.analysis.comparison import CONTROL
from psa_tui.analysis.escape_times import escaped_by
from psa_tui.analysis.text_tables import Text, TextTable, number, percentage, probability
from psa_tui.formatting import percent

if TYPE_CHECKING:
    from pandas import DataFrame

_LOOPS = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000)


def survival_text(table: DataFrame, curves: DataFrame, bar: float, shapes: int, last: int) -> Iterator[Text]:
    """Show ``survival_table`` and ``survival_curves`` of so many shapes, whose trials have at most ``last`` loops."""
    words = "shape" if shapes == 1 else "shapes"
    yield f"escape: the LKG is above {percent(bar)} on the validation images; {shapes} {words}"
    yield ""
    yield TextTable(
        ["mode", "trials", "escaped", "%", "from", "to", "half by loop", "p", "p BH"],
        [
            [
                row.mode,
                str(row.n),
                str(row.escaped),
                *(percentage(value, ".1f") for value in (row.share, row.low, row.high)),
                number(row.median, ".0f"),
                probability(row.p),
                probability(row.p_bh),
            ]
            for row in table.itertuples()
        ],
    )
    yield ""
    marks = [loop for loop in _LOOPS if loop < last] + [last]
    yield "percent of the trials that have escaped by meta-loop"
    yield TextTable(
        ["mode", *map(str, marks)],
        [
            [str(mode), *(percentage(escaped_by(curve, loop), ".1f") for loop in marks)]
            for mode, curve in curves.groupby("mode", sort=False)
        ],
    )
    yield ""
    yield "from, to: 95 % band (Kaplan and Meier); half by loop: when half of the trials had escaped, - if never"
    if table["p"].notna().any():
        yield (
            f"p: log-rank test against {CONTROL}, shape by shape; p BH: corrected for the number of modes "
            "(exploratory). Trials that share a seed are taken as independent, which is cautious."
        )
