"""The map of a study: every shape a coloured block on the plane of width and depth, with a cursor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from rich.text import Text
from textual.app import RenderResult
from textual.binding import Binding
from textual.events import Click
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from psa_tui.formatting import first_fitting
from psa_tui.views.workbench.base import key
from psa_tui.views.workbench.plane import Placement, place
from psa_tui.views.workbench.study_data import StudyData, View

_LABEL = 6
"""Columns of the depth axis."""
_AXIS = 2
"""Lines of the width axis, and of the depth axis' name above."""
_SEQUENTIAL = ("#440154", "#482878", "#3e4989", "#31688e", "#26828e", "#1f9e89", "#35b779", "#6ece58", "#b5de2b")
_DIVERGING = ("#b2182b", "#d6604d", "#f4a582", "#fddbc7", "#f7f7f7", "#d1e5f0", "#92c5de", "#4393c3", "#2166ac")
_CURSOR = "bold #000000 on #ff6fd8"
"""Of no scale's colours, and seen on a dark ground and on a light one."""
_STATES = {
    "waiting": ("·", "#6b7280"),
    "begun": ("begun", "#8a6d1d"),
    "running": ("runs", "#0072b2"),
    "complete": ("done", "#1f7a4d"),
    "failed": ("failed", "#b2182b"),
}
_MARKS = {"running": "▸", "failed": "✗"}
"""What stands behind the number of a shape some of whose trials are in that state."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What the map shows: a view, and for some views a mode and the mode it is compared with."""

    view: View = View.BEST
    mode: str = ""
    control: str = ""

    @property
    def words(self) -> str:
        """What the view is called."""
        return {
            View.BEST: "mean of the best mode, %",
            View.MODE: f"mean of {self.mode}, %",
            View.EFFECT: f"effect of {self.mode} over {self.control}, points",
            View.COUNT: "complete trials",
            View.STATE: "state",
        }[self.view]


def scale_of(data: StudyData, shown: Shown) -> tuple[float, float] | None:
    """Return the least and the greatest value of the map, around 0 for an effect; None where there is none."""
    values = [data.value(shape.name, shown.view, shown.mode, shown.control) for shape in data.shapes]
    known = [value for value in values if value is not None]
    if shown.view is View.STATE or not known:
        return None
    if shown.view is View.EFFECT:
        most = max(abs(value) for value in known)
        return -most, most
    return (0.0, float(data.wanted())) if shown.view is View.COUNT else (min(known), max(known))


def scale_text(data: StudyData, shown: Shown, width: int) -> Text:
    """Explain the colours in one line of at most ``width`` characters."""
    scale = scale_of(data, shown)
    if scale is None:
        if shown.view is not View.STATE:
            nothing = "no complete trial yet"
            return Text(first_fitting(width, f"{shown.words}: {nothing}", nothing), no_wrap=True)
        counts = {state: sum(data.state(shape.name) == state for shape in data.shapes) for state in _STATES}
        legend = Text(no_wrap=True)
        for state, count in counts.items():
            if count:
                _, colour = _STATES[state]
                legend.append("  ", f"on {colour}").append(f" {state} {count}  ")
        return legend
    low, high = (_number(value, shown.view, 6) for value in scale)
    legend = Text(no_wrap=True)
    if low == high:
        return legend.append(f"{shown.words}  {low}")
    room = width - len(shown.words) - len(low) - len(high) - 5
    legend.append(f"{shown.words}  {low} ")
    bar = max(min(room, 24), 0)
    for step in range(bar):
        legend.append(" ", f"on {_colour(step / max(bar - 1, 1), shown.view)}")
    return legend.append(f" {high}")


def draw_map(data: StudyData, shown: Shown, width: int, height: int, cursor: str | None) -> Text:
    """Draw the map in ``width`` x ``height`` characters; ``cursor`` is the shape that stands out."""
    layout = layout_of(data, width, height)
    if layout is None:
        return Text("no shape of known depth and width" if data.shapes else "no shape yet", "dim")
    columns, rows = width - _LABEL, height - _AXIS
    grid: list[list[tuple[str, str]]] = [[(" ", "")] * columns for _ in range(rows)]
    scale = scale_of(data, shown)
    for name, (left, top) in layout.spots.items():
        wide, high = layout.block
        lines = _block(data, name, shown, scale, wide, high, name == cursor)
        for down, (text, style) in enumerate(lines):
            for across, character in enumerate(text):
                grid[top + down][left + across] = character, style
    ticks = dict(layout.y_ticks)
    drawn = Text(no_wrap=True).append("depth ↑\n", "dim")
    for number, row in enumerate(grid):
        drawn.append(f"{ticks.get(number, ''):>{_LABEL - 1}} ", "dim")
        for character, style in row:
            drawn.append(character, style)
        drawn.append("\n")
    axis = " " * columns
    for left, label in layout.x_ticks:
        axis = axis[:left] + label + axis[left + len(label) :]
    # Six characters are all of the margin: a label at its end would touch the longer word.
    named = "width→" if axis.startswith(" ") else "w →"
    return drawn.append(f"{named:<{_LABEL}}{axis}".rstrip(), "dim")


def layout_of(data: StudyData, width: int, height: int) -> Placement | None:
    """Return where the shapes stand; None where none has a place."""
    sized = tuple(
        (shape.name, shape.depth, shape.width)
        for shape in data.shapes
        if shape.depth is not None and shape.width is not None
    )
    columns, rows = width - _LABEL, height - _AXIS
    return place(sized, columns, rows) if sized and columns >= 4 and rows >= 1 else None


def _block(
    data: StudyData,
    name: str,
    shown: Shown,
    scale: tuple[float, float] | None,
    wide: int,
    high: int,
    is_cursor: bool,
) -> list[tuple[str, str]]:
    """Return a block's lines with their style."""
    value = data.value(name, shown.view, shown.mode, shown.control)
    state = data.state(name)
    if shown.view is View.STATE:
        text, colour = _STATES[state]
        text = text if len(text) <= wide else text[:1]
    elif (value is None or scale is None) and state == "failed":
        text, colour = "failed" if wide > len("failed") else _MARKS[state], _STATES[state][1]
    elif value is None or scale is None:
        text, colour = "runs" if state == "running" and wide > 4 else "-", "#4b5563"
    else:
        low, top = scale
        text, colour = _number(value, shown.view, wide), _colour((value - low) / ((top - low) or 1.0), shown.view)
    lines = [text]
    if high > 1:
        best = data.best(name)
        counts = f"{data.complete(name)}/{data.wanted()}"
        lines[shown.view is not View.COUNT :] = [best[0] if shown.view is View.BEST and best else counts]
        lines = [line for line in lines if len(line) == cell_len(line) <= wide]
    if state in _MARKS and value is not None and shown.view is not View.STATE and len(lines[0]) + 2 <= wide:
        lines[0] += _MARKS[state]
    if is_cursor and len(lines[0]) + 2 <= wide:
        lines[0] = f"[{lines[0]}]"
    above = (high - len(lines)) // 2
    padded = [""] * above + lines + [""] * (high - len(lines) - above)
    style = _CURSOR if is_cursor else f"{_ink(colour)} on {colour}"
    return [(line.center(wide)[:wide], style) for line in padded]


def _number(value: float, view: View, wide: int) -> str:
    if view is View.COUNT:
        return f"{value:.0f}"
    sign = "+" if view is View.EFFECT else ""
    exact = f"{100 * value:{sign}.1f}"
    return exact if len(exact) <= wide - 1 else f"{100 * value:{sign}.0f}"[: max(wide, 1)]


def _colour(place: float, view: View) -> str:
    """Return the colour of a place between 0 and 1, mixed from its two neighbours."""
    stops: Sequence[str] = _DIVERGING if view is View.EFFECT else _SEQUENTIAL
    at = min(max(place, 0.0), 1.0) * (len(stops) - 1)
    first = min(int(at), len(stops) - 2)
    share = at - first
    mixed = (round(a + (b - a) * share) for a, b in zip(_rgb(stops[first]), _rgb(stops[first + 1]), strict=True))
    return "#" + "".join(f"{part:02x}" for part in mixed)


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _ink(colour: str) -> str:
    """Return black or white, whichever is read better on a colour."""
    red, green, blue = _rgb(colour)
    return "#000000" if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else "#ffffff"


class StudyMap(Widget, can_focus=True):
    """The map as a widget: arrows and the mouse move the cursor, Enter or a second click opens a shape."""

    BINDINGS: ClassVar = [
        Binding("up", "go(0, -1)", show=False),
        Binding("down", "go(0, 1)", show=False),
        Binding("left", "go(-1, 0)", show=False),
        Binding("right", "go(1, 0)", show=False),
        key("enter", "choose", "trials", "Trials of the shape", "Enter"),
    ]
    data: reactive[StudyData | None] = reactive(None)
    shown: reactive[Shown] = reactive(Shown())
    cursor: reactive[str | None] = reactive(None)

    class Moved(Message):
        """The cursor is on another shape."""

    class Chosen(Message):
        """A shape is to be opened."""

    def render(self) -> RenderResult:
        """Draw the map."""
        if self.data is None:
            return Text("reading ...", "dim")
        return draw_map(self.data, self.shown, self.size.width, self.size.height, self.cursor)

    def _layout_now(self) -> Placement | None:
        return None if self.data is None else layout_of(self.data, self.size.width, self.size.height)

    def watch_data(self) -> None:
        """Put the cursor on a shape that is there."""
        layout = self._layout_now()
        if layout is not None and self.cursor not in layout.spots:
            self.cursor = next(iter(layout.spots))

    def on_resize(self) -> None:
        """Put the cursor on a shape that is there."""
        self.watch_data()

    def watch_cursor(self) -> None:
        """Tell the screen."""
        self.post_message(self.Moved())

    def action_go(self, right: int, down: int) -> None:
        """Move the cursor to the nearest shape in a direction."""
        layout = self._layout_now()
        if layout is not None and self.cursor in layout.spots:
            assert self.cursor is not None
            self.cursor = layout.neighbour(self.cursor, right, down)

    def action_choose(self) -> None:
        """Open the shape under the cursor."""
        if self.cursor is not None:
            self.post_message(self.Chosen())

    def on_click(self, event: Click) -> None:
        """Go to the shape that was clicked; open it if the cursor was there."""
        layout = self._layout_now()
        found = None if layout is None else layout.at(event.x - _LABEL, event.y - 1)
        if found is not None and found == self.cursor:
            self.action_choose()
        elif found is not None:
            self.cursor = found
