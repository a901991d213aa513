"""The figures of a single run as lines of a terminal: those of its dashboard, each at its own height."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rich.text import Text

from psa_tui.errors import ConfigError
from psa_tui.runs.following import Following
from psa_tui.runs.history import find_run
from psa_tui.storage.run_store import read_runs
from psa_tui.views.chart import accuracy_chart, loss_chart
from psa_tui.views.display import DisplayOptions
from psa_tui.views.gain_histogram import gain_histogram
from psa_tui.views.layer_table import layer_table
from psa_tui.views.network_map import ablations_of, network_map
from psa_tui.views.state import RunState
from psa_tui.views.unit_marks import Measure

_CHART, _MAP, _HISTOGRAM = 20, 20, 14
"""Lines."""
_TABLE = 30
"""Lines at most."""


def _curve(state: RunState, width: int, options: DisplayOptions) -> Text:
    return Text.assemble("validation accuracy by meta-loop\n", accuracy_chart(state, width, _CHART, options))


def _loss(state: RunState, width: int, options: DisplayOptions) -> Text:
    return Text.assemble("training loss by meta-loop\n", loss_chart(state, width, _CHART, options))


def _ablations(state: RunState, width: int, options: DisplayOptions) -> Text:
    ablations = ablations_of(state)
    table = layer_table(ablations, width, _TABLE, options.glyphs)
    picture = network_map(ablations, width, _MAP, options.glyphs, Measure.GAIN)
    return Text.assemble("mean gain by ablated unit\n", picture, "\n\n", table)


def _gains(state: RunState, width: int, options: DisplayOptions) -> Text:
    return Text.assemble("gains of the candidates\n", gain_histogram(state.hits, width, _HISTOGRAM, options.glyphs))


_PICTURES: dict[str, Callable[[RunState, int, DisplayOptions], Text]] = {
    "curve": _curve,
    "loss": _loss,
    "ablations": _ablations,
    "gains": _gains,
}
RUN_PICTURES = tuple(_PICTURES)
"""The names of the figures."""


def run_picture(name: str, state: RunState, width: int, ascii_only: bool) -> Text:
    """Draw one of ``RUN_PICTURES``, ``width`` columns wide."""
    return _PICTURES[name](state, width, DisplayOptions(ascii=ascii_only))


def state_of_run(results_dir: Path, name: str) -> RunState:
    """Return what a screen would show of the run called ``name`` (see ``find_run``) in ``results_dir``.

    Raises:
        ConfigError: there is no history, or no such run.
        HistoryError: the history cannot be read.
    """
    state = RunState()
    with read_runs(results_dir) as store:
        if store is None:
            raise ConfigError(f"there is no history in {results_dir}; psa train makes one, --results-dir names another")
        for timed in Following(store, find_run(store, name).run, results_dir, recent=0).poll():
            state.fold(timed.event, 0.0)
    return state
