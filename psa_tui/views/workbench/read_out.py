"""What is known of one shape of a study: a line a mode, and where each trial ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from rich.cells import cell_len
from rich.console import Group as Stacked
from rich.table import Table
from rich.text import Text

from psa_tui.formatting import percent, points, printable
from psa_tui.storage.study_rows import FAILED
from psa_tui.views.column_widths import folded
from psa_tui.views.workbench.columns import shortened
from psa_tui.views.workbench.study_data import StudyData, View
from psa_tui.views.workbench.study_map import Shown

_DOTS = "·•●"
"""One trial, two, and three or more at one place."""
_STRIP = 40
_GAP = 2
_LEAST_MODE, _LONGEST_OVER = 8, 14


def brief(data: StudyData, name: str, shown: Shown) -> Text:
    """Return what is known of a shape in a line."""
    best, effect = data.best(name), data.effect(name, shown.mode, shown.control)
    text = Text(no_wrap=True).append(name, "bold").append(f"  {data.complete(name)}/{data.wanted()}")
    if failed := data.failed(name):
        text.append(f"  {failed} failed", "bold red")
    if best is not None:
        text.append(f"  best {best[0]} {percent(best[1])}")
    if effect is not None and shown.view is View.EFFECT:
        text.append(f"  {shown.mode} over {shown.control} {points(effect)}")
    return text


def read_out(data: StudyData, name: str, shown: Shown, width: int) -> Stacked:
    """Return what is known of a shape in ``width`` columns: a line a mode, and what each gains over the control.

    Where a mode's name has no room, it is folded; numbers are whole.
    """
    (shape,) = [one for one in data.shapes if one.name == name]
    size = "" if shape.parameters is None else f"  {shape.parameters:,} parameters"
    head = Text.assemble((name, "bold"), size, f"  {data.state(name)}")
    labels = "n", "mean %", "sd", "best %", shortened(f"over {shown.control}", _LONGEST_OVER)
    rows = {mode: _numbers(data, name, mode, shown.control) for mode in data.modes}
    taken = sum(max(map(cell_len, column)) + _GAP for column in zip(labels, *rows.values(), strict=True))
    # Folded, and not shortened: the end of a mode may be all that tells it from another.
    names = {mode: folded(mode, max(width - taken - 1, _LEAST_MODE)) for mode in data.modes}
    table = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False)
    for label in ("mode", *labels):
        table.add_column(Text(label, "dim"), justify="left" if label == "mode" else "right", no_wrap=True)
    best = data.best(name)
    for mode, numbers in rows.items():
        style = "bold" if best is not None and best[0] == mode else ""
        table.add_row(Text(names[mode], style), *(Text(one, style) for one in numbers))
    return Stacked(head, table, *_failures(data, name), Text(), _strips(data, name, names, width))


def _failures(data: StudyData, name: str) -> list[Text]:
    """Return how many trials of a shape failed, a text a cause."""
    causes = Counter(row.reason for row in data.trials_of(name) if row.state == FAILED)
    return [
        Text.assemble((f"{count} failed", "bold red"), printable(f": {cause}" if cause else ""))
        for cause, count in causes.items()
    ]


def _numbers(data: StudyData, name: str, mode: str, control: str) -> tuple[str, ...]:
    cell, effect = data.cell(name, mode), data.effect(name, mode, control)
    return (
        f"{len(cell.bounties)}/{data.trials}",
        "-" if cell.mean is None else f"{100 * cell.mean:.2f}",
        "-" if cell.deviation is None else f"{100 * cell.deviation:.2f}",
        f"{100 * max(cell.bounties):.2f}" if cell.bounties else "-",
        "" if effect is None or mode == control else points(effect),
    )


def _strips(data: StudyData, name: str, names: Mapping[str, str], width: int) -> Table:
    """Return where each complete trial ended, a line a mode, all on one scale."""
    bounties = {mode: data.cell(name, mode).bounties for mode in data.modes}
    every = [one for some in bounties.values() for one in some]
    table = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False, show_header=False)
    if not every:
        return table
    low, high = min(every), max(every)
    ends = f"{100 * low:.1f}", f"{100 * high:.1f} %"
    longest = max(cell_len(line) for name in ("trials", *names.values()) for line in name.split("\n"))
    room = max(min(width - longest - _GAP, _STRIP), len("".join(ends)) + 1)
    table.add_row(Text("trials", "dim"), Text(f"{ends[0]}{ends[1]:>{room - len(ends[0])}}", "dim"))
    for mode, some in bounties.items():
        table.add_row(Text(names[mode]), Text(strip(some, low, high, room), "bold"))
    return table


def strip(values: Sequence[float], low: float, high: float, width: int) -> str:
    """Return a dot for each value at its place between ``low`` and ``high``, in ``width`` characters."""
    span = (high - low) or 1.0
    places = Counter(round((value - low) / span * (width - 1)) for value in values)
    return "".join(_DOTS[min(places[at], len(_DOTS)) - 1] if at in places else " " for at in range(width))
