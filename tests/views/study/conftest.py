import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from psa_tui.method.variants import PUBLISHED
from psa_tui.studies.events import (
    CellFailed,
    CellFinished,
    CellProgressed,
    CellStarted,
    StudyNote,
    StudyStarted,
    WorkerLost,
)
from psa_tui.studies.grids import parse_grid
from psa_tui.views.display import DisplayOptions
from psa_tui.views.study.screen import render
from psa_tui.views.study.state import StudyState

MODES = tuple(map(str, PUBLISHED))
PLAIN = DisplayOptions()
TRIALS = tuple(range(1, 11))


def cost_s(network):
    return network.parameters / 1e6 + 1e-3 * network.depth


def study_started(grid="published", **changes):
    networks = parse_grid(grid)
    values = {
        "study": "reproduction",
        "resumed": True,
        "quick": False,
        "shapes": tuple(network.short_name for network in networks),
        "depths": tuple(network.depth for network in networks),
        "widths": tuple(network.width for network in networks),
        "modes": MODES,
        "trials": 10,
        "meta_loops": 100,
        "seed": 0,
        "dataset": "mnist",
        "workers": 2,
        "costs_s": tuple(map(cost_s, networks)),
    }
    return StudyStarted(**{**values, **changes})


def progressed(shape, worker, meta_loop, loop_s=None, share=0.0, trials=TRIALS, bounties=None):
    reached = tuple(tuple(0.1 * mode + 0.02 * trial for trial in trials) for mode in range(1, 7))
    return CellProgressed(
        shape=shape,
        worker=worker,
        trials=trials,
        meta_loop=meta_loop,
        loop_share=share,
        loop_s=loop_s,
        bounties=bounties or reached,
    )


def mean_of(network):
    return 0.1102 if network.depth > 40 else 0.5 if network.width < 16 else 0.98


def a_study():
    """A published study with its costly half done: pairs of a moment and an event."""
    yield 0.0, study_started(notices=("a notice",))
    order = sorted(parse_grid("published"), key=cost_s, reverse=True)
    for network in order[:40]:
        if network.short_name == "4*185":
            for attempt in (1, 2, 3):
                yield (
                    3.0,
                    CellFailed(
                        shape="4*185",
                        worker="worker 1",
                        trials=TRIALS,
                        attempt=attempt,
                        cause="it was killed by SIGKILL; the system does that when memory runs out",
                        final=attempt == 3,
                    ),
                )
        else:
            means = tuple(round(mean_of(network) - 0.01 * mode, 4) for mode in range(6))
            yield 1.0, CellFinished(shape=network.short_name, worker=None, trials=TRIALS, means=means)
    yield 3000.0, WorkerLost(worker="worker 2", cause="it was killed by SIGSEGV")
    yield 3001.0, StudyNote(text="a note")
    part = CellFinished(shape="12*12", worker="worker 2", trials=(1, 2, 3), means=(0.3,) * 6)
    yield 3002.0, part
    for worker, network in (("worker 1", order[40]), ("worker 2", order[41])):
        yield 3500.0, CellStarted(shape=network.short_name, worker=worker, trials=TRIALS, meta_loop=0)
        yield 3600.0, progressed(network.short_name, worker, 36)
        yield 3650.0, progressed(network.short_name, worker, 37, loop_s=66 * cost_s(network), share=0.4)


@pytest.fixture
def study():
    """Ways to make studies and pictures of them."""

    def replay(events):
        state, now = StudyState(), 0.0
        for now, event in events:
            state.fold(event, now)
        return state, now

    def picture(state, width, height, now, options=PLAIN, **settings):
        console = Console(file=io.StringIO(), width=width, height=height, force_terminal=True, **settings)
        with console.capture() as shown:
            console.print(render(state, width, height, now, options), width=width, height=height, end="")
        return shown.get().split("\n")[:height]

    return SimpleNamespace(
        story=a_study, replay=replay, picture=picture, started=study_started, progressed=progressed, trials=TRIALS
    )
