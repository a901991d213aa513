"""Regimes as text: a line a shape, then how many shapes have each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from psa_tui.analysis.regimes import Regime
from psa_tui.analysis.shapes import count_text
from psa_tui.analysis.text_tables import NO_NUMBER, Text, TextTable, about

if TYPE_CHECKING:
    from pandas import DataFrame


def regimes_text(table: DataFrame) -> Iterator[Text]:
    """Show ``classify`` and ``bootstrap`` merged, with the column ``complete``: whether no trial is missing."""
    rows = []
    for row in table.itertuples():
        sure = NO_NUMBER if row.probability != row.probability else f"{row.probability:.0%}"
        others = [(getattr(row, regime), regime) for regime in Regime if regime != row.regime]
        other = max(others, key=lambda found: found[0]) if row.near_boundary else None
        regime = row.regime or f"no trials of {', '.join(row.missing.split())}"
        if row.regime and not row.complete:
            regime = f"{regime} *"
        near = f"? {other[1]} {other[0]:.0%}" if other else ""
        rows.append([row.architecture, regime, near, row.rule or NO_NUMBER, sure, count_text(row.parameters)])
    yield about(table)
    yield TextTable(["shape", "regime", "or", "rule", "probability", "parameters"], rows, 3)
    counts = table["regime"].value_counts()
    found = [f"{counts[regime]} {regime}" for regime in Regime if regime in counts]
    unknown = int(table["regime"].isna().sum())
    found += [f"{unknown} without all six modes"] if unknown else []
    near_count = int(table["near_boundary"].sum())
    yield f"{len(table)} shapes: {', '.join(found) or 'none'}; {near_count} near a boundary"
    provisional = int((~table["complete"] & table["regime"].notna()).sum())
    if provisional:
        yield f"* provisional: {provisional} of them lack trials"
