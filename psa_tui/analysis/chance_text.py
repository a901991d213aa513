"""A/A comparisons and the shares of seeds as text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from psa_tui.analysis.text_tables import NO_NUMBER, Text, TextTable, percentage, probability

if TYPE_CHECKING:
    from pandas import DataFrame

    from psa_tui.analysis.endpoints import Endpoint


def chance_text(table: DataFrame, seeds: DataFrame | None, endpoint: Endpoint) -> Iterator[Text]:
    """Show ``chance_table``, and ``seed_table`` where there is one."""
    yield f"{endpoint.words}: comparisons whose two sides do not differ in how they train"
    if endpoint.remark:
        yield endpoint.remark
    if table.empty:
        yield "none is possible: it takes mode none beside sham or decay, or four trials of a shape and mode"
        return
    yield ""
    yield TextTable(
        ["A/A", "shapes", "a - b", "from", "to", "p", "p<.05", "%", "from", "to", "|a-b|", "> 2"],
        [
            [
                row.contrast,
                f"{row.noisy}/{row.shapes}",
                *(percentage(value, "+.2f") for value in (row.difference, row.low, row.high)),
                probability(row.p),
                str(row.significant) if row.noisy else NO_NUMBER,
                *(percentage(value, ".0f") for value in (row.share, row.share_low, row.share_high)),
                percentage(row.median_gap, ".1f"),
                str(row.beyond) if row.noisy else NO_NUMBER,
            ]
            for row in table.itertuples()
        ],
    )
    yield ""
    yield "shapes: those whose trials differ at all, of all; a - b: pooled over shapes, with interval and p"
    yield (
        "p<.05: in how many of these shapes alone, and the percent with its interval: 5 is what chance gives, less "
        "where few trials have few possible p-values"
    )
    yield "|a-b|: the median over shapes of the difference in points; > 2: how many miss the publishers' two points"
    if seeds is not None:
        yield from _seeds(seeds)


def _seeds(seeds: DataFrame) -> Iterator[Text]:
    yield ""
    if seeds.empty:
        yield "First weights and order have seeds of their own, but no shape has the four trials that tell them apart."
        return
    yield "what makes trials differ, percent of their variance"
    yield TextTable(
        ["mode", "shapes", "trials", "first weights", "order", "rest", "std"],
        [
            [
                row.mode,
                str(row.shapes),
                str(row.trials),
                *(percentage(value, ".0f") for value in (row.initialisation, row.order, row.rest, row.std)),
            ]
            for row in seeds.itertuples()
        ],
    )
    yield "rest: what first weights and order do together; std: of a trial, in points, the mean over shapes"
