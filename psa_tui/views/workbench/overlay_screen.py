"""Several runs in one chart: grouped by setting, each group its median in a band that holds all its runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult

from psa_tui.formatting import count, network_words
from psa_tui.method.variants import describe_variant
from psa_tui.views.workbench import signs
from psa_tui.views.workbench.base import WorkbenchScreen, key
from psa_tui.views.workbench.charts import Group
from psa_tui.views.workbench.commands import Words
from psa_tui.views.workbench.entries import Entry, Results, of_studies
from psa_tui.views.workbench.overlay import Overlay
from psa_tui.views.workbench.subjects import Subject, read_run
from psa_tui.views.workbench.widgets import CommandLine, Heading, KeyLine

_EVERY_S = 3.0


class OverlayScreen(WorkbenchScreen):
    """The chart and its legend."""

    SIGNS = signs.OVERLAY
    BINDINGS: ClassVar = [
        key("escape,backspace", "back", "back", "Back", "Esc"),
        key("g", "group", "group", "Group by setting, or each run by itself"),
    ]

    def __init__(self, results: Results, entries: Sequence[Entry]) -> None:
        """Show the runs of ``entries``, and say how many studies are among them."""
        super().__init__()
        self._results, self._entries = results, [one for one in entries if one.run is not None]
        studies = len(entries) - len(self._entries)
        self._left_out = f"{of_studies(studies)} left out" if studies else ""
        self._subjects: list[tuple[Entry, Subject]] = []
        self._is_grouped = True

    def compose(self) -> ComposeResult:
        """Yield heading, chart, legend, command and keys."""
        yield Heading()
        yield Overlay("run")
        yield CommandLine()
        yield KeyLine()

    def on_mount(self) -> None:
        """Read the runs."""
        self.query_one(CommandLine).say(("", self.words_of("")))
        self.reload_every(_EVERY_S)

    def words_of(self, action: str) -> Words | None:
        """Return the command that lists the runs, or compares two of them."""
        names = [entry.said for entry in self._entries]
        return ["results", "diff", *names] if len(names) == 2 else ["results", "runs"]

    def load(self) -> list[tuple[Entry, Subject]]:
        """Return the runs as they stand."""
        known = {entry.key: entry for entry in self._results.read()}
        entries = [known.get(one.key, one) for one in self._entries]
        return [(one, read_run(self._results.folder, one.name, one.version)) for one in entries]

    def take(self, found: list[tuple[Entry, Subject]]) -> None:
        """Draw what changed."""
        if found != self._subjects:
            self._subjects = found
            self.draw()

    def action_group(self) -> None:
        """Group by setting, or let each run stand by itself."""
        self._is_grouped = not self._is_grouped
        self.draw()

    def action_back(self) -> None:
        """Go back to the table."""
        self.app.pop_screen()

    def draw(self) -> None:
        """Draw the chart and its legend."""
        groups = grouped(self._subjects, by_setting=self._is_grouped)
        self.query_one(Overlay).show(groups)
        what = "median LKG, and a band from the least to the greatest" if self._is_grouped else "LKG"
        runs, settings = count(len(self._subjects), "run"), count(len(groups), "setting")
        self.query_one(Heading).say("overlay", runs, settings, self._left_out, what)


def grouped(subjects: Sequence[tuple[Entry, Subject]], *, by_setting: bool) -> list[Group]:
    """Return the runs by setting, the seed left out; or each by itself, by its name."""
    found: dict[str, list[Subject]] = {}
    for entry, subject in subjects:
        found.setdefault(setting_of(entry) if by_setting else entry.label, []).append(subject)
    return [Group(setting, [subject.curve for subject in some]) for setting, some in found.items()]


def setting_of(entry: Entry) -> str:
    """Return what makes runs comparable: all but the seed and how far they went, and rates where the mode uses them."""
    row = entry.run
    if row is None:
        return entry.name
    rates, variants = row.hyperparameters, describe_variant(row.mode).all_variants
    decay = f", weight decay {rates.weight_decay:g}" if any(one.weight_decay for one in variants) else ""
    dropout = f", dropout {rates.dropout:g}" if any(one.dropout for one in variants) else ""
    network = network_words(row.network, row.architecture)
    return f"{network} {row.mode}, lr {rates.learning_rate:g}, batch {rates.batch_size}{decay}{dropout}, {row.dataset}"
