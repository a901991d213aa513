"""What ablations did, by layer: a table whose columns are dropped where room lacks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text

from psa_tui.formatting import first_fitting, points
from psa_tui.runs.ablation_statistics import NetworkAblations, Tally
from psa_tui.views.glyphs import Glyphs
from psa_tui.views.unit_marks import Unit

_GAP = "  "
_TENTHS_BELOW = 0.0095
"""The fraction below which a rate is told in tenths of a percent."""
_STYLES = {"above": "blue", "below": "red", "like": "dim"}


@dataclass(frozen=True, slots=True)
class _Row:
    """A layer, all of them, or the loops that ablated nothing."""

    name: str
    tally: Tally
    dead: str
    style: str = ""


@dataclass(frozen=True, slots=True)
class _Column:
    head: str
    short_head: str
    cells: Sequence[str]
    rank: int
    """Of the columns for which there is no room, that of the greatest rank is dropped first."""

    def width(self, *, short: bool) -> int:
        """Return how many characters it takes."""
        return max(map(len, (self.short_head if short else self.head, *self.cells)))


def layer_table(
    ablations: NetworkAblations, width: int, height: int, glyphs: Glyphs, cursor: Unit | None = None
) -> Text:
    """Draw what ablations did by layer, in ``width`` x ``height`` characters.

    Below the layers stand all of them together, and the loops that ablated nothing. A loop counts once for a layer,
    however many of its units it hit. The layer of the ``cursor`` is marked. Where not all layers are in sight, those
    are that were hit, and its.
    """
    chance, layers, ends = ablations.statistics.chance, _layers(ablations), _end_rows(ablations)
    chosen = cursor[0] if cursor is not None and cursor[0] in layers else None
    telling = [layer for layer in layers if layer in ablations.statistics.layers or layer == chosen]
    needed = len(layers)
    if len(layers) + len(ends) + 1 > height:
        ends, needed = ends[:1], len(telling) + 1
    with_chance = chance is not None and needed + len(ends) + 2 <= height
    shown = _in_sight(layers, telling, max(height - 1 - len(ends) - with_chance, 2), chosen)
    rows = [*_layer_rows(ablations, shown), *ends]
    columns, short = _fitting(_columns(rows, chance), width - 1)
    text = Text(no_wrap=True)
    text.append(" " + _GAP.join(_cells(columns, None, short)), "dim")
    for place, row in enumerate(rows):
        if place == len(shown) < len(layers):
            hidden = len(layers) - len(shown)
            text.append("\n" + first_fitting(width, f" {hidden:,} more layers", f" {hidden:,} more"), "dim")
        is_chosen = place < len(shown) and shown[place] == chosen
        text.append("\n" + (glyphs.cursor if is_chosen else " "))
        for index, cell in enumerate(_cells(columns, place, short)):
            text.append((_GAP if index else "") + cell, _STYLES.get(cell.strip(), row.style))
    if chance is not None and with_chance:
        told = f"chance {_rate(chance)}"
        meaning = (": how often candidates are promoted, whatever was ablated", ", whatever was ablated", "")
        text.append("\n " + first_fitting(width - 1, *(told + words for words in meaning)), "dim")
    return text


def beside_chance(tally: Tally, chance: float | None) -> str:
    """Say whether hits are survived more often than by ``chance``: ``above`` or ``below`` it, or ``like`` it.

    Like it is what has it in its interval of 95 %; nothing is said where nothing alive was ablated.
    """
    interval = tally.survival_interval
    if interval is None or chance is None:
        return "-"
    return "above" if interval.low > chance else "below" if interval.high < chance else "like"


def _layers(ablations: NetworkAblations) -> Sequence[int]:
    """Return the layers of the network; of one that is not known here, those that were hit."""
    return range(len(ablations.unit_counts)) or sorted(ablations.statistics.layers)


def _layer_rows(ablations: NetworkAblations, shown: Sequence[int]) -> list[_Row]:
    hidden = len(ablations.unit_counts) - 1
    dead = Counter(layer for layer, _ in ablations.dead_units)
    return [
        _Row(
            ablations.names.short(layer),
            ablations.statistics.layers.get(layer, Tally()),
            # Units of the output layer do not die.
            f"{dead[layer]} of {ablations.unit_counts[layer]}" if 0 <= layer < hidden else "-",
        )
        for layer in shown
    ]


def _end_rows(ablations: NetworkAblations) -> list[_Row]:
    """Return the rows below the layers."""
    statistics, hidden = ablations.statistics, sum(ablations.unit_counts[:-1])
    dead = f"{len(ablations.dead_units)} of {hidden}" if hidden else "-"
    rows = [_Row("all", statistics.every, dead, "bold")]
    if statistics.untouched.ablated:
        rows.append(_Row("none", statistics.untouched, "-"))
    return rows


def _columns(rows: Sequence[_Row], chance: float | None) -> list[_Column]:
    """Return the table's columns; each has a cell for each row."""
    tallies = [row.tally for row in rows]
    gains = [tally.mean_gain for tally in tallies]
    intervals = [tally.survival_interval for tally in tallies]
    spans = ["-" if one is None else f"{100 * one.low:.0f}-{_rate(one.high)}" for one in intervals]
    # What was not ablated says nothing about a layer beside the others.
    verdicts = [beside_chance(row.tally, chance) if row.name not in ("all", "none") else "" for row in rows]
    return [
        _Column("layer", "layer", [row.name for row in rows], 0),
        _Column("hits", "hits", [f"{tally.ablated:,}" for tally in tallies], 1),
        _Column("promoted", "promoted", [f"{tally.promoted:,}" for tally in tallies], 6),
        _Column("mean gain", "gain", ["-" if gain is None else points(gain) for gain in gains], 2),
        _Column("survived", "survived", [_rate(tally.survival) for tally in tallies], 3),
        _Column("95 % interval", "interval", spans, 7),
        _Column("chance", "chance", verdicts, 4),
        _Column("dead", "dead", [row.dead for row in rows], 5),
    ]


def _fitting(columns: list[_Column], width: int) -> tuple[list[_Column], bool]:
    """Return the columns for which there is room, and whether their heads are short."""
    for short in (False, True):
        if _width(columns, short) <= width:
            return columns, short
    while len(columns) > 1 and _width(columns, short=True) > width:
        columns = [column for column in columns if column.rank < max(one.rank for one in columns)]
    return columns, True


def _width(columns: Sequence[_Column], short: bool) -> int:
    return sum(column.width(short=short) + len(_GAP) for column in columns) - len(_GAP)


def _cells(columns: Sequence[_Column], place: int | None, short: bool) -> list[str]:
    """Return a row's cells, or the heads where ``place`` is None: words to the left, numbers to the right."""
    cells = [
        (column.short_head if short else column.head) if place is None else column.cells[place] for column in columns
    ]
    widths = [column.width(short=short) for column in columns]
    return [
        f"{cell:<{width}}" if not index else f"{cell:>{width}}"
        for index, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]


def _in_sight(layers: Sequence[int], telling: Sequence[int], room: int, chosen: int | None) -> Sequence[int]:
    """Return the layers shown in ``room`` lines, one of which says how many others there are where there are any.

    ``telling`` are those of which there is something to tell; while there are none, the first ones are shown.
    """
    if len(layers) <= room:
        return layers
    telling = telling or layers
    place = 0 if chosen is None else telling.index(chosen)
    first = min(max(place - (room - 1) // 2, 0), max(len(telling) - room + 1, 0))
    return telling[first : first + room - 1]


def _rate(fraction: float | None) -> str:
    if fraction is None:
        return "-"
    # Of ten thousand loops a few promotions are not none.
    if 0 < fraction < 0.0005:
        return "<0.1 %"
    return f"{100 * fraction:.1f} %" if 0 < fraction < _TENTHS_BELOW else f"{100 * fraction:.0f} %"
