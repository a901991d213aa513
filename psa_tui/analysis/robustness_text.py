"""Robustness as text: which checkpoints there are, then a line a level, the checkpoints side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from psa_tui.analysis.robustness import LETTERS, damage_words, robustness_curve
from psa_tui.analysis.text_tables import NO_NUMBER, Text, TextTable, percentage
from psa_tui.method.probes import UnitKill

if TYPE_CHECKING:
    from psa_tui.method.probes import Probe
    from psa_tui.runs.probing import Probed


def robustness_text(found: Sequence[Probed], probe: Probe, width: int) -> Iterator[Text]:
    """Show every checkpoint's accuracies; as many checkpoints side by side as ``width`` columns have room for."""
    kills = isinstance(probe, UnitKill)
    yield _checkpoints(found)
    yield ""
    yield (
        f"test accuracy (percent) after {damage_words(probe)}, without training: mean, and 10th to 90th percentile, of "
        f"{probe.draws} draws (seed {probe.seed})" + ("; dead: how many of the zeroed were so before" if kills else "")
    )
    first = ["zeroed" if kills else "noise", "0", *(f"{level:g}" for level in probe.levels)]
    block, used = [first], _wide(first)
    for letter, probed in zip(LETTERS, found, strict=False):
        columns = _columns(letter, probed, probe)
        needed = sum(map(_wide, columns))
        if len(block) > 1 and used + needed > width + 1:
            yield _table(block)
            yield ""
            block, used = [first], _wide(first)
        block, used = [*block, *columns], used + needed
    yield _table(block)


def _checkpoints(found: Sequence[Probed]) -> TextTable:
    rows = []
    for letter, probed in zip(LETTERS, found, strict=False):
        subject, record = probed.subject, probed.subject.record
        rows.append(
            [
                letter,
                subject.label,
                record.architecture,
                record.mode,
                record.dataset,
                str(len(subject.dead)),
                str(int(subject.dead.sum())),
            ]
        )
    return TextTable(["", "checkpoint", "shape", "mode", "data", "hidden", "dead"], rows, 5)


def _columns(letter: str, probed: Probed, probe: Probe) -> list[list[str]]:
    points = robustness_curve(probed, probe)
    columns = [
        [f"{letter} mean", *(percentage(point.mean) for point in points)],
        ["10 %", NO_NUMBER, *(percentage(point.low) for point in points[1:])],
        ["90 %", NO_NUMBER, *(percentage(point.high) for point in points[1:])],
    ]
    if probed.dead_hit is not None:
        columns.append(["dead", NO_NUMBER, *(f"{dead:.2f}" for dead in probed.dead_hit)])
    return columns


def _wide(column: Sequence[str]) -> int:
    """Return the width of a column and of the gap behind it."""
    return max(map(len, column)) + 1


def _table(columns: Sequence[Sequence[str]]) -> TextTable:
    headings, *rows = zip(*columns, strict=True)
    return TextTable(headings, rows, 0)
