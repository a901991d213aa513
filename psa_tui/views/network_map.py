"""The network map: layers across, their units down, and what ablations did to them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise
from operator import itemgetter

from rich.text import Text

from psa_tui.analysis.unit_map import UnitMap
from psa_tui.formatting import first_fitting
from psa_tui.method.layer_names import LayerNames
from psa_tui.runs.ablation_statistics import NetworkAblations
from psa_tui.views.glyphs import Glyphs
from psa_tui.views.state import RunState
from psa_tui.views.text import format_units_of_lkg
from psa_tui.views.unit_marks import COUNT_STYLES, GAIN_STYLES, LEVELS, STYLES, Mark, Measure, Unit, marks_of, read_out

_OUT = "out"
_LEAST = (2 + len(_OUT), 3)
"""Columns and rows of the smallest map, without a cursor."""
_CURSOR = "on bright_black"
_WIDEST = 3
"""Columns that a mark has at most."""
_Entry = tuple[Sequence[tuple[str, str]], str]
"""Of a legend: characters with their styles, and what they mean."""


def ablations_of(state: RunState) -> NetworkAblations:
    """Return what the ablations of a run did."""
    return NetworkAblations(
        statistics=state.hits,
        unit_counts=() if state.started is None else state.started.unit_counts,
        names=state.names,
        dead_units=state.dead_units,
        under_way=() if state.ablation is None else [(unit.layer, unit.unit) for unit in state.ablation.units],
    )


def map_title(state: RunState, measure: Measure, width: int) -> str:
    """Name what the map shows; that of fates, by what is known of the LKG's hidden units as far as there is room."""
    if measure is not Measure.FATE:
        return first_fitting(width, f"network: {measure}", str(measure))
    known = "" if state.progress is None else format_units_of_lkg(state.progress)
    titles = [f"network: {what}" for what in (known, known.partition(",")[0]) if what]
    return first_fitting(width, *titles, "network: ablations", "ablations", "network")


def layout_of(unit_counts: Sequence[int], width: int, height: int, *, with_cursor: bool) -> UnitMap | None:
    """Return where the marks of a map of that size stand; None where there is no room, and where no unit is known."""
    columns, rows = width - with_cursor, height - with_cursor
    if columns < _LEAST[0] or rows < _LEAST[1] or not unit_counts:
        return None
    # The last column has "out" below it.
    return UnitMap.fitting(unit_counts, columns - len(_OUT) + 1, rows - 2, _WIDEST)


def unit_at(unit_counts: Sequence[int], width: int, height: int, x: int, y: int, *, with_cursor: bool) -> Unit | None:
    """Return the first unit of the mark nearest to column ``x`` and line ``y`` of such a map; None beside the marks."""
    layout = layout_of(unit_counts, width, height, with_cursor=with_cursor)
    found = None if layout is None else layout.nearest(x - with_cursor, y - 1)
    if found is None:
        return None
    layers, units = found
    return next(layer for layer in layers if unit_counts[layer] > units[0]), units[0]


def network_map(
    ablations: NetworkAblations,
    width: int,
    height: int,
    glyphs: Glyphs,
    measure: Measure = Measure.FATE,
    cursor: Unit | None = None,
) -> Text:
    """Draw the map in ``width`` x ``height`` characters, legend and axis included.

    A mark that stands for several units shows the sum of their hits or promotions, or the mean of all their gains. It
    is that of dead units where all of them are dead, in the map of fates where any is. Of the mark that has the unit
    ``cursor``, a line below says what is known.
    """
    if not ablations.unit_counts:
        return Text("its family or its data set is not installed here")
    layout = layout_of(ablations.unit_counts, width, height, with_cursor=cursor is not None)
    if layout is None:
        return Text("")
    if cursor is not None and not layout.knows(*cursor):
        cursor = (0, 0)
    marks = marks_of(ablations, layout)
    most = max((mark.number(measure) for mark in marks.values()), default=0)
    chosen = None if cursor is None else layout.position(*cursor)
    untouched = Mark()
    text = _legend(measure, most, width, glyphs, with_dead=bool(ablations.dead_units))
    hits = ablations.statistics
    if hits.untouched.ablated and not hits.every.ablated and not ablations.under_way and not ablations.dead_units:
        # A control without ablation: there is nothing for the marks to mean.
        text = Text(first_fitting(width, "no unit was ablated yet", "none ablated yet", "none yet"), no_wrap=True)

    for row in range(max(layout.heights.values())):
        pointer = "" if chosen is None else glyphs.cursor if chosen[1] == row else " "
        parts, free = [("\n" + pointer, "")], 0
        for column, marked in layout.heights.items():
            if row < marked:
                parts.append((" " * (column - free), ""))
                shape, style = marks.get((column, row), untouched).drawn(measure, most, glyphs, layout.mark_width)
                parts.append((shape, f"{style} {_CURSOR}" if (column, row) == chosen else style))
                free = column + layout.mark_width
        # Neighbours of one style are one part: each costs as much as a whole line.
        for style, alike in groupby(filter(itemgetter(0), parts), key=itemgetter(1)):
            text.append("".join(shape for shape, _ in alike), style)
    text.append("\n")
    if cursor is None or chosen is None:
        text.append(_axis(layout, ablations.names, width), "dim")
    else:
        text.append(" " + _axis(layout, ablations.names, width - 1, chosen[0], glyphs.cursor_below), "dim")
        text.append("\n" + read_out(marks.get(chosen), ablations, layout, cursor, width))
    return text


def _legend(measure: Measure, most: int, width: int, glyphs: Glyphs, *, with_dead: bool) -> Text:
    """Say what the marks mean, as far as ``width`` characters hold it; the most important to the last."""
    for entries in _legends(measure, most, glyphs):
        shown = [one for one in entries if with_dead or one[1] != "dead"]
        if sum(len(marks) + len(words) + 2 for marks, words in shown) - 1 <= width:
            break
    else:
        shown = []
    text = Text(no_wrap=True)
    for place, (marks, words) in enumerate(shown):
        text.append(" " if place else "")
        for character, style in marks:
            text.append(character, style)
        text.append(f" {words}")
    return text


def _legends(measure: Measure, most: int, glyphs: Glyphs) -> Iterator[list[_Entry]]:
    """Go through the legends of a measure, from the longest to the shortest."""
    dead, now, never = (
        ([(getattr(glyphs, name), STYLES[name])], words)
        for name, words in (("dead", "dead"), ("now", "now"), ("untouched", "never"))
    )
    forms = list(_scales(measure, most, glyphs))
    first, *others = forms
    yield [*first, dead, now, never]
    for scale in others[:1]:
        yield [*scale, dead, now, never]
    for scale in others:
        yield [*scale, dead, now]
    for scale in forms[-1:]:
        yield [*scale, dead]
        yield scale


def _scales(measure: Measure, most: int, glyphs: Glyphs) -> Iterator[list[_Entry]]:
    """Go through what says how a measure is drawn, from the longest to the shortest."""
    if measure is Measure.FATE:
        for hit, survived in (("rolled back", "survived"), ("hit", "survived"), ("hit", "kept")):
            yield [
                ([(glyphs.hit, STYLES["hit"])], hit),
                ([(glyphs.survived, STYLES["survived"])], survived),
            ]
        return
    strip = [glyphs.strip[level] for level in LEVELS]
    if measure is Measure.GAIN:
        marks = list(zip(strip, GAIN_STYLES, strict=True))
        harms, even, helps = marks[:3], marks[3:4], marks[4:]
        yield [(harms, "harms"), (even, "even"), (helps, "helps by 0.1, 1, 10 points")]
        yield [(harms, "harms"), (even, "even"), (helps, "helps")]
        yield [(harms, "harms"), (helps, "helps")]
        return
    least, greatest = (strip[0], COUNT_STYLES[0]), (strip[-1], COUNT_STYLES[-1])
    for words in (str(measure), ""):
        yield [([least], "few"), ([greatest], f"{most:,} {words}".rstrip())] if most else []


def _axis(layout: UnitMap, names: LayerNames, width: int, pointed: int | None = None, pointer: str = "") -> str:
    """Write names or numbers of layers below the columns, "out" below the last, and for how many units a mark stands.

    The ``pointer`` stands below the column ``pointed``, in place of a label there.
    """
    notes = []
    if layout.units_a_mark > 1:
        notes = [f"{layout.units_a_mark} units a mark", f"{layout.units_a_mark} a mark"]
    if layout.shares_columns:
        notes = [*(f"layers share columns, {note}" for note in notes), "layers share columns", *notes]
    whole, ends = (_labels(layout, names, width, sparse, pointed, pointer) for sparse in (False, True))
    for line in (whole, ends):
        for note in notes:
            blank = " " * (len(note) + 2)
            if (place := f"{line} ".rfind(blank)) >= 0:
                return f"{line[: place + 1]}{note}{line[place + 1 + len(note) :]}".rstrip()
    return (ends if notes else whole).rstrip()


def _labels(layout: UnitMap, names: LayerNames, width: int, sparse: bool, pointed: int | None, pointer: str) -> str:
    """Write the layer numbers for which there is room, or only the first, and "out"; names if there is room for all."""
    line = [" "] * width
    named = [names.short(layer) for layer in range(len(layout.starts) - 1)]
    if any(start + len(name) >= end for name, (start, end) in zip(named, pairwise(layout.starts), strict=True)):
        named = [str(layer) for layer in range(len(named))]
    last, free = layout.starts[-1], 0
    for layer, start in enumerate(layout.starts):
        label = _OUT if start == last else named[layer]
        end = start + len(label)
        has_room = start == last or (start >= free and end < last and not (sparse and layer))
        if has_room and not (pointed is not None and start <= pointed < end):
            line[start:end] = label
            free = end + 1
    if pointed is not None:
        line[pointed] = pointer
    return "".join(line)
