"""The network map: layers across, their units down, and what ablations did to them."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from psa_tui.views.glyphs import Glyphs
from psa_tui.views.state import RunState
from psa_tui.views.text import format_units_of_lkg

_STYLES = {"untouched": "dim", "hit": "red", "survived": "green", "dead": "yellow", "now": "bold reverse"}
_LEGENDS = (
    {"hit": "rolled back", "survived": "survived", "dead": "dead", "now": "now", "untouched": "never"},
    {"hit": "hit", "survived": "survived", "dead": "dead", "now": "now", "untouched": "never"},
    {"hit": "hit", "survived": "survived", "dead": "dead", "now": "now"},
    {"hit": "hit", "survived": "kept", "dead": "dead", "now": "now"},
)
"""What the marks are called, as there is room."""


def map_title(state: RunState, plain: str, width: int) -> str:
    """Return ``plain``, or what is known of the LKG's hidden units as far as ``width`` characters hold it."""
    known = "" if state.progress is None else format_units_of_lkg(state.progress)
    titles = [f"network: {what}" for what in (known, known.partition(",")[0]) if what]
    return next((title for title in titles if len(title) <= width), plain)


def network_map(state: RunState, width: int, height: int, glyphs: Glyphs) -> Text:
    """Draw the map in ``width`` x ``height`` characters, legend and axis included.

    Where a layer has more units than rows, or the network more layers than columns, a mark stands for several
    neighbours and shows the strongest of what happened to them.
    """
    rows, columns = height - 2, (width - 1) // 2
    if state.started is None or rows < 1 or columns < 2:
        return Text("")
    counts = state.started.unit_counts
    if not counts:
        return Text("its family or its data set is not installed here", no_wrap=True)
    marks = _marks(state, counts, rows, columns)
    shown_columns = min(len(counts) - 1, columns - 1) + 1
    text = Text(no_wrap=True)
    legend = _legend(width, with_dead=bool(state.dead_units))
    for name, meaning in legend.items():
        text.append(getattr(glyphs, name), _STYLES[name])
        text.append(f" {meaning} ")
    for row in range(min(rows, max(counts))):
        text.append("\n")
        for column in range(shown_columns):
            what = marks.get((column, row))
            if what is None and row < min(counts[_first_layer(column, len(counts), columns)], rows):
                what = "untouched"
            if what is None:
                text.append("  ")
            else:
                text.append(getattr(glyphs, what), _STYLES[what])
                text.append(" ")
    text.append("\n" + _axis(len(counts), shown_columns, columns), "dim")
    return text


def _legend(width: int, *, with_dead: bool) -> dict[str, str]:
    """Return what each mark is called in ``width`` characters; dead units are left out where there are none."""
    legends = [{name: one[name] for name in one if with_dead or name != "dead"} for one in _LEGENDS]
    return next((one for one in legends if sum(len(word) + 3 for word in one.values()) <= width + 1), {})


def _marks(state: RunState, counts: Sequence[int], rows: int, columns: int) -> dict[tuple[int, int], str]:
    """Return what happened at each touched position, by (column, row)."""
    marks: dict[tuple[int, int], str] = {}
    for (layer, unit), hits in state.hits.units.items():
        if not _is_known(layer, unit, counts):
            continue
        position = _position(layer, unit, counts, rows, columns)
        if hits.survived or marks.get(position) != "survived":
            marks[position] = "survived" if hits.survived else "hit"
    for layer, unit in state.dead_units:
        if _is_known(layer, unit, counts):
            marks[_position(layer, unit, counts, rows, columns)] = "dead"
    if state.ablation is not None:
        for one in state.ablation.units:
            if not _is_known(one.layer, one.unit, counts):
                continue
            marks[_position(one.layer, one.unit, counts, rows, columns)] = "now"
    return marks


def _is_known(layer: int, unit: int, counts: Sequence[int]) -> bool:
    """Whether the network has such a unit: a history may say anything."""
    return 0 <= layer < len(counts) and 0 <= unit < counts[layer]


def _position(layer: int, unit: int, counts: Sequence[int], rows: int, columns: int) -> tuple[int, int]:
    """Return the column and row that show a unit."""
    hidden = len(counts) - 1
    if layer == hidden:
        column = min(hidden, columns - 1)
    else:
        column = layer if hidden <= columns - 1 else layer * (columns - 1) // hidden
    count = counts[layer]
    return column, unit if count <= rows else unit * rows // count


def _first_layer(column: int, layers: int, columns: int) -> int:
    """Return the first layer that ``column`` shows; the last column is the output layer."""
    hidden = layers - 1
    if column == min(hidden, columns - 1):
        return hidden
    return column if hidden <= columns - 1 else -(-column * hidden // (columns - 1))


def _axis(layers: int, shown: int, columns: int) -> str:
    """Write layer numbers under the columns, every fifth where they are many; "out" under the output layer."""
    line = [" "] * (2 * shown + 2)
    for column in range(shown - 1):
        label = str(_first_layer(column, layers, columns))
        if column % 5 == 0 and 2 * column + len(label) < 2 * (shown - 1):
            line[2 * column : 2 * column + len(label)] = label
    line[2 * (shown - 1) :] = "out"
    return "".join(line)
