"""What is known of one shape of a study: a line a mode, and where each trial ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.console import Group as Stacked
from rich.table import Table
from rich.text import Text

from psa_tui.formatting import percent, points
from psa_tui.views.workbench.study_data import StudyData, View
from psa_tui.views.workbench.study_map import Shown

_DOTS = "·•●"
"""One trial, two, and three or more at one place."""
_STRIP = 40


def brief(data: StudyData, name: str, shown: Shown) -> Text:
    """Return what is known of a shape in a line."""
    best, effect = data.best(name), data.effect(name, shown.mode, shown.control)
    text = Text(no_wrap=True).append(name, "bold").append(f"  {data.complete(name)}/{data.wanted()}")
    if best is not None:
        text.append(f"  best {best[0]} {percent(best[1])}")
    if effect is not None and shown.view is View.EFFECT:
        text.append(f"  {shown.mode} over {shown.control} {points(effect)}")
    return text


def read_out(data: StudyData, name: str, shown: Shown) -> Stacked:
    """Return what is known of a shape: a line a mode, and what each gains over the control."""
    (shape,) = [one for one in data.shapes if one.name == name]
    size = "" if shape.parameters is None else f"  {shape.parameters:,} parameters"
    head = Text.assemble((name, "bold"), size, f"  {data.state(name)}")
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for label in ("mode", "n", "mean %", "sd", "best %", f"over {shown.control}"):
        table.add_column(Text(label, "dim"), justify="left" if label == "mode" else "right", no_wrap=True)
    best = data.best(name)
    for mode in data.modes:
        cell = data.cell(name, mode)
        effect = data.effect(name, mode, shown.control)
        numbers = (
            f"{len(cell.bounties)}/{data.trials}",
            "-" if cell.mean is None else f"{100 * cell.mean:.2f}",
            "-" if cell.deviation is None else f"{100 * cell.deviation:.2f}",
            f"{100 * max(cell.bounties):.2f}" if cell.bounties else "-",
            "" if effect is None or mode == shown.control else points(effect),
        )
        is_best = best is not None and best[0] == mode
        table.add_row(Text(mode, "bold" if is_best else ""), *(Text(one, "bold" if is_best else "") for one in numbers))
    return Stacked(head, Text(), table, Text(), _strips(data, name))


def _strips(data: StudyData, name: str) -> Table:
    """Return where each complete trial ended, a line a mode, all on one scale."""
    bounties = {mode: data.cell(name, mode).bounties for mode in data.modes}
    every = [one for some in bounties.values() for one in some]
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=False)
    if not every:
        return table
    low, high = min(every), max(every)
    ends = f"{100 * low:.1f}", f"{100 * high:.1f} %"
    table.add_row(Text("trials", "dim"), Text(f"{ends[0]}{ends[1]:>{_STRIP - len(ends[0])}}", "dim"))
    for mode, some in bounties.items():
        table.add_row(Text(mode), Text(strip(some, low, high, _STRIP), "bold"))
    return table


def strip(values: Sequence[float], low: float, high: float, width: int) -> str:
    """Return a dot for each value at its place between ``low`` and ``high``, in ``width`` characters."""
    span = (high - low) or 1.0
    places = Counter(round((value - low) / span * (width - 1)) for value in values)
    return "".join(_DOTS[min(places[at], len(_DOTS)) - 1] if at in places else " " for at in range(width))
