"""A new run from a form, which shows the command that it stands for while it is filled in."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, VerticalScroll
from textual.widget import Widget
from textual.widgets import Button, Input, Select, Static

from psa_tui.data import AUTO, DATASETS, is_own
from psa_tui.errors import PsaError
from psa_tui.formatting import printable
from psa_tui.method.variants import variant_names
from psa_tui.networks import NETWORKS
from psa_tui.outside import is_plain_name
from psa_tui.settings import SETTINGS, Settings
from psa_tui.storage.run_store import RunRow
from psa_tui.views.workbench.base import Dialog
from psa_tui.views.workbench.commands import Words, shown
from psa_tui.views.workbench.entries import Entry

_FIELDS = ("network", "arch", "mode", "lr", "batch_size", "meta_loops", "seed", "dataset")
_NAME = "name"
_LEAST_LINES = 20
"""Of a terminal in which the form has empty lines."""
_HINTS = {"arch": "[1*1024]", "seed": "drawn, and shown", _NAME: "the run's folder"}


class NewRun(Dialog[Words]):
    """The form; it closes with the command, or with None."""

    BINDINGS: ClassVar = [Binding("ctrl+s", "begin", "start")]
    VERTICAL_BREAKPOINTS = [(0, "-low"), (_LEAST_LINES, "-high")]  # noqa: RUF012 (Textual declares no ClassVar)

    def __init__(self, settings: Settings, like: Entry | None) -> None:
        """Begin with the settings in force, or with those of ``like`` where it is a run."""
        super().__init__()
        self._settings = settings
        self._in_force = {name: raw_text(settings, name) for name in _FIELDS}
        self._first = self._in_force | ({} if like is None or like.run is None else values_of(like.run))

    def compose(self) -> ComposeResult:
        """Yield a line a setting, the command, and two buttons."""
        with VerticalScroll(classes="dialog form"):
            yield Static(Text("New run", "bold"))
            for name in (_NAME, *_FIELDS):
                with Horizontal(classes="field"):
                    yield Static(Text(name.replace("_", "-")), classes="label")
                    yield self._field(name)
            yield Static(id="command", classes="command")
            yield Static(id="problem")
            with Horizontal(classes="buttons"):
                yield Button("Start (Enter)", id="start", variant="primary", compact=True)
                yield Button("Back (Esc)", id="cancel", compact=True)

    def _field(self, name: str) -> Widget:
        choices = {"network": tuple(NETWORKS), "mode": variant_names(), "dataset": (AUTO, *DATASETS)}
        if name in choices:
            value = self._first[name]
            every = dict.fromkeys([*choices[name], value])
            return Select([(Text(one), one) for one in every], value=value, allow_blank=False, id=name, compact=True)
        value = free_name(self._settings.get("model_dir")) if name == _NAME else self._first[name]
        return Input(value, placeholder=_HINTS.get(name, ""), id=name, compact=True)

    def on_mount(self) -> None:
        """Begin where most things differ."""
        self.query_one("#arch").focus()

    def _values(self) -> dict[str, str]:
        fields = {name: self.query_one(f"#{name}") for name in (_NAME, *_FIELDS)}
        return {name: str(field.value).strip() for name, field in fields.items() if isinstance(field, Input | Select)}

    @on(Input.Changed)
    @on(Select.Changed)
    def _say(self) -> None:
        words, problem = self._words()
        self.query_one("#command", Static).update(Text(f"$ {shown(words)}"))
        self.query_one("#problem", Static).update(Text(printable(problem), "bold red"))

    def _words(self) -> tuple[Words, str]:
        values = self._values()
        words = train_words(values, self._in_force, self._settings)
        return words, problem_of(values, self._settings)

    @on(Button.Pressed, "#start")
    @on(Input.Submitted)
    def action_begin(self) -> None:
        """Close with the command, if it can be run."""
        words, problem = self._words()
        if problem:
            self.app.bell()
        else:
            self.dismiss(words)

    @on(Button.Pressed, "#cancel")
    def action_cancel(self) -> None:
        """Close without."""
        self.dismiss(None)


def raw_text(settings: Settings, name: str) -> str:
    """Return what is said of a setting by the first source that has it; empty where none has."""
    return next((layer.values[name] for layer in settings.layers if name in layer.values), "")


def values_of(run: RunRow) -> dict[str, str]:
    """Return the settings of a run as texts; its seed is its own, and left out.

    So is a network of the user's own: a history is no command line, and makes nobody run code.
    """
    rates = run.hyperparameters
    network = {"network": run.network, "arch": run.architecture} if run.network in NETWORKS else {}
    return network | {
        "mode": run.mode,
        "lr": f"{rates.learning_rate:g}",
        "batch_size": str(rates.batch_size),
        "meta_loops": str(run.last_meta_loop),
        "dataset": run.dataset_requested if is_own(run.dataset_requested) else run.dataset,
    }


def free_name(model_dir: Path) -> str:
    """Return a name that no folder of a run has yet."""
    return next(name for number in count(1) if not (model_dir / (name := f"run-{number}")).exists())


def train_words(values: Mapping[str, str], in_force: Mapping[str, str], settings: Settings) -> Words:
    """Return the command: what differs from the settings in force, and a checkpoint of the run's own."""
    words = ["train"]
    for name in _FIELDS:
        if values[name] and values[name] != in_force[name]:
            words += [SETTINGS[name].option, values[name]]
    if values[_NAME]:
        own = ["--name", values[_NAME]]
        words += own if _NAME in SETTINGS else ["--model-dir", str(settings.get("model_dir") / values[_NAME])]
    return words


def problem_of(values: Mapping[str, str], settings: Settings) -> str:
    """Return what keeps the command from being run; empty where nothing does."""
    name = values[_NAME]
    if name and not is_plain_name(name):
        return "name: letters, digits, dots, dashes and underscores, a letter or digit first"
    try:
        folder: Path = settings.get("model_dir") / name
        if name and any(folder.glob("*.safetensors")):
            return f"name: there is a run in {folder} already"
        for field in _FIELDS:
            if values[field]:
                settings = settings.with_option(field, values[field])
        settings.run_config()
    except PsaError as error:
        return str(error)
    return ""
