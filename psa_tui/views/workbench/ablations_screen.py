"""What helps and what harms in one run or trial: by layer, by unit, and how much candidates gained."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Container, VerticalScroll
from textual.widgets import Static

from psa_tui.formatting import count
from psa_tui.method.events import Verdict
from psa_tui.runs.ablation_statistics import AblationStatistics, NetworkAblations
from psa_tui.runs.stored_loops import gains_of, last_dead_units
from psa_tui.views.gain_histogram import gain_histogram
from psa_tui.views.glyphs import UNICODE
from psa_tui.views.layer_table import layer_table
from psa_tui.views.network_map import network_map
from psa_tui.views.unit_marks import Measure
from psa_tui.views.workbench.base import WorkbenchScreen, key
from psa_tui.views.workbench.commands import Words
from psa_tui.views.workbench.subjects import Subject
from psa_tui.views.workbench.widgets import CommandLine, Heading, KeyLine

_WIDE = 120
_LEAST_MAP, _LEAST_HISTOGRAM = 10, 12


class AblationsScreen(WorkbenchScreen):
    """The map of the units, the table of the layers, the histogram of gains."""

    BINDINGS: ClassVar = [
        key("escape,backspace", "back", "back", "Back", "Esc"),
        key("v", "measure", "measure", "Next measure of the map: mean gain, fate, hits, promotions"),
    ]

    def __init__(self, subject: Subject, words: Words | None) -> None:
        """Show what was ablated in ``subject``; ``words`` is the command that prints it."""
        super().__init__()
        self._subject, self._words = subject, words
        self._ablations = ablations_of(subject)
        self._measure = Measure.GAIN

    def compose(self) -> ComposeResult:
        """Yield heading, map, table and histogram, command and keys."""
        yield Heading()
        with Container(id="ablations"):
            yield Static(id="units")
            with VerticalScroll(id="by-layer"):
                yield Static(id="layers")
                yield Static(id="gains")
        yield CommandLine()
        yield KeyLine()

    def on_mount(self) -> None:
        """Show the command."""
        self.query_one(CommandLine).say(("", self._words))

    def words_of(self, action: str) -> Words | None:
        """Return the command that prints it."""
        return self._words if action == "measure" else None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer measures where there is something to measure."""
        return action != "measure" or bool(self._ablations.statistics.every.ablated)

    def on_resize(self) -> None:
        """Put the table beside the map, or below it."""
        self.query_one("#ablations").set_class(self.size.width >= _WIDE, "-wide")
        self.call_after_refresh(self.draw)

    def draw(self) -> None:
        """Draw all in the room that there is."""
        ablated = self._ablations.statistics.every.ablated
        title = (f"by {self._measure}", f"{ablated:,} loops with an ablation") if ablated else ()
        self.query_one(Heading).say(f"{self._subject.title}: what helps, what harms", *title)
        units, below = self.query_one("#units", Static), self.query_one("#by-layer")
        below.display = bool(ablated)
        if not ablated:
            loops = count(len(self._subject.loops), "meta-loop")
            units.update(Text(f"Nothing was ablated in {loops}: there is nothing to tell apart."))
            return
        room = max(units.size.height, _LEAST_MAP)
        units.update(network_map(self._ablations, units.size.width - 2, room, UNICODE, self._measure))
        width = below.size.width - 3
        layers = len(self._ablations.unit_counts) + 5
        self.query_one("#layers", Static).update(layer_table(self._ablations, width, layers, UNICODE))
        height = max(below.size.height - layers - 1, _LEAST_HISTOGRAM)
        gains = gain_histogram(self._ablations.statistics, width, height, UNICODE)
        self.query_one("#gains", Static).update(Text.assemble("\n", gains))

    def action_measure(self) -> None:
        """Show the next measure."""
        measures = list(Measure)
        self._measure = measures[(measures.index(self._measure) + 1) % len(measures)]
        self.draw()

    def action_back(self) -> None:
        """Go back to the curve."""
        self.app.pop_screen()


def ablations_of(subject: Subject) -> NetworkAblations:
    """Return what ablations did in the loops of a subject."""
    statistics = AblationStatistics()
    for loop, gain in zip(subject.loops, gains_of(subject.loops), strict=True):
        statistics.fold(loop.ablations, loop.verdict == Verdict.PROMOTED, gain)
    return NetworkAblations(
        statistics=statistics,
        unit_counts=subject.unit_counts,
        names=subject.names,
        dead_units=last_dead_units(subject.loops) or (),
    )
