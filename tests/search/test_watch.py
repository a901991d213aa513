"""Watching a search from its script: the dashboard on a terminal, lines anywhere else, and no harm from either."""

import json
import logging
import re
import sys
from types import SimpleNamespace

import pytest
import torch

import psa_tui
from psa_tui.method.event_codec import decode_event, encode_event
from psa_tui.views.display import DisplayOptions
from psa_tui.views.state import RunState
from tests.search.conftest import Trainer
from tests.terminal import ENTER, LEAVE
from tests.views.conftest import picture

LINES = [
    "search: Sequential, 137 parameters, variant output",
    "from the weights that the model has, to meta-loop 2; seed 1",
    "your own loop and data, cpu, threads 1",
    "loop 1/2   20.00 %  promoted            LKG  20.00 %  T s",
    "loop 2/2   35.00 %  promoted +15.00     LKG  35.00 %  output neuron 1  T s",
    "finished: 2 of 2 meta-loops, T s",
    "bounty 35.00 % at meta-loop 2",
    "search: Sequential, 137 parameters, variant output",
    "going on after meta-loop 2, to meta-loop 9; seed 1",
    "your own loop and data, cpu, threads 1",
    "loop 3/9   37.50 %  promoted +2.50      LKG  37.50 %  output neuron 1  T s",
    "stopped by your loop at meta-loop 3 of 9; go on with: search.loops(9)",
    "bounty 37.50 % at meta-loop 3",
]

SCRIPT = """
import time, traceback
from pathlib import Path
import psa_tui as psa
from tests.search.conftest import Trainer, mlp_units, small_mlp

model = small_mlp()
train = Trainer(model)
search = psa.Search(model, mlp_units(model), "full", seed=3)
psa.watch(search)
stop = Path("stop")
for attempt in range(2):
    try:
        for loop in search.loops(1000):
            time.sleep(0.05)
            train(loop)
            if stop.exists():
                stop.unlink()
                raise RuntimeError("a fault of the user's")
    except RuntimeError:
        traceback.print_exc()
"""


@pytest.fixture
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_in_a_pipe_or_a_notebook_every_loop_is_a_line(model, units, capsys, one_thread):
    search, train = psa_tui.Search(model, units, "output", seed=1), Trainer(model, counts=False)
    psa_tui.watch(search)
    for loop in search.loops(2):
        train(loop)
    for loop in search.loops(9):
        train(loop)
        if loop.number == 3:
            break
    found = re.sub(r"\d+\.\d+ m?s", "T s", capsys.readouterr().out)
    assert found.splitlines() == LINES


def test_a_view_that_fails_is_gone_and_the_search_goes_on(model, units, caplog):
    class Broken:
        def handle(self, event):
            raise ValueError("no ink")

        def close(self):
            raise AssertionError("it is gone")

    search = psa_tui.Search(model, units, "none")
    search.teller.makers.append(Broken)
    with caplog.at_level(logging.WARNING, "psa_tui"):
        for loop in search.loops(2):
            loop.report(0.5)
    assert search.progress.meta_loop == 2
    assert [record.message for record in caplog.records] == [
        "a view failed and is gone, the search goes on: ValueError: no ink"
    ]


@pytest.mark.parametrize("kind", ["all", "hidden only", "none"])
def test_the_screen_of_a_search_draws_whatever_units_there_are(kind, model, units):
    chosen = {"all": units, "hidden only": [one for one in units if one.outgoing], "none": []}[kind]
    search, events = psa_tui.Search(model, chosen, "full" if chosen else "none", seed=1), []
    search.teller.makers.append(lambda: SimpleNamespace(handle=events.append, close=lambda: None))
    for loop in search.loops(3):
        loop.report(0.5)
    state = RunState()
    for event in events:
        state.fold(decode_event(json.loads(json.dumps(encode_event(event)))), 0.0)
    drawn = "\n".join(picture(state, 120, 40, 1.0, DisplayOptions(read_only=True)))
    assert "PSA Sequential" in drawn
    for unknown in ("images/s", "lr ", "batch "):
        assert unknown not in drawn


def test_a_dashboard_is_left_before_a_fault_is_shown_and_for_lines_by_a_key(terminal, tmp_path):
    tty = terminal([sys.executable, "-c", SCRIPT])
    tty.wait_for_text("PSA Sequential  mode full  your own loop and data")
    tty.wait_for_loop(2)
    (tmp_path / "stop").touch()
    tty.wait_for_bytes(b"RuntimeError: a fault of the user's")
    assert tty.raw.index(ENTER) < tty.raw.index(LEAVE) < tty.raw.index(b"Traceback")
    assert b"stopped by your loop at meta-loop" in tty.raw
    tty.wait_for_bytes(ENTER, tty.raw.index(b"Traceback"))
    tty.wait_for_text("PSA Sequential")
    tty.press("q")
    tty.wait_for_bytes(b"left the dashboard; the search goes on in lines")
    tty.wait_for_text(r"^loop +\d+/1000 ")
    (tmp_path / "stop").touch()
    tty.wait_for_end()
    tty.assert_restored()
