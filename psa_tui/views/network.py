"""The network map: layers as columns, neurons as cells, and what ablations did to them."""

from __future__ import annotations

from rich.text import Text

from psa_tui.networks.mlp import CLASSES, parse_architecture
from psa_tui.views.glyphs import Glyphs
from psa_tui.views.state import RunState

_STYLES = {"untouched": "dim", "hit": "red", "survived": "green", "now": "bold reverse"}
_LEGEND_WIDTH = 39


def network_map(state: RunState, width: int, height: int, glyphs: Glyphs) -> Text:
    """The map in ``width`` x ``height`` characters, legend and axis included.

    Where a layer has more neurons than rows, or the network more layers than columns, a cell stands for
    several neighbours and shows the strongest of what happened to them.
    """
    rows, columns = height - 2, (width - 1) // 2
    if state.started is None or rows < 1 or columns < 2:
        return Text("")
    widths = [*parse_architecture(state.started.architecture).hidden_widths(), CLASSES]
    cells = _cells(state, widths, rows, columns)
    shown_columns = min(len(widths) - 1, columns - 1) + 1
    text = Text(no_wrap=True)
    hit = "rolled back" if width >= _LEGEND_WIDTH else "hit"
    for name, meaning in (("hit", hit), ("survived", "survived"), ("now", "now"), ("untouched", "never")):
        if text.cell_len + 2 + len(meaning) <= width:
            text.append(getattr(glyphs, name), _STYLES[name])
            text.append(f" {meaning} ")
    for row in range(min(rows, max(min(w, rows) for w in widths))):
        text.append("\n")
        for column in range(shown_columns):
            what = cells.get((column, row))
            if what is None and row < min(widths[_first_layer(column, len(widths), columns)], rows):
                what = "untouched"
            if what is None:
                text.append("  ")
            else:
                text.append(getattr(glyphs, what), _STYLES[what])
                text.append(" ")
    text.append("\n" + _axis(len(widths), shown_columns, columns), "dim")
    return text


def _cells(state: RunState, widths: list[int], rows: int, columns: int) -> dict[tuple[int, int], str]:
    """What happened in each touched cell, by (column, row)."""
    cells: dict[tuple[int, int], str] = {}
    for (layer, neuron), hits in state.hits.items():
        place = _place(layer, neuron, widths, rows, columns)
        if hits.survived or cells.get(place) != "survived":
            cells[place] = "survived" if hits.survived else "hit"
    if state.ablation is not None:
        cells[_place(state.ablation.layer, state.ablation.neuron, widths, rows, columns)] = "now"
    return cells


def _place(layer: int, neuron: int, widths: list[int], rows: int, columns: int) -> tuple[int, int]:
    hidden = len(widths) - 1
    if layer == hidden:
        column = min(hidden, columns - 1)
    else:
        column = layer if hidden <= columns - 1 else layer * (columns - 1) // hidden
    width = widths[layer]
    return column, neuron if width <= rows else neuron * rows // width


def _first_layer(column: int, layers: int, columns: int) -> int:
    """The first layer that ``column`` shows; the last column is the output layer."""
    hidden = layers - 1
    if column == min(hidden, columns - 1):
        return hidden
    return column if hidden <= columns - 1 else -(-column * hidden // (columns - 1))


def _axis(layers: int, shown: int, columns: int) -> str:
    """Layer numbers under the columns, every fifth where they are many; "out" under the output layer."""
    line = [" "] * (2 * shown + 2)
    for column in range(shown - 1):
        label = str(_first_layer(column, layers, columns))
        if column % 5 == 0 and 2 * column + len(label) < 2 * (shown - 1):
            line[2 * column : 2 * column + len(label)] = label
    line[2 * (shown - 1) :] = "out"
    return "".join(line)
