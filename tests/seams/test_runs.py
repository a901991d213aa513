"""Each thing that can be added from outside, in a single run: trained, stopped, resumed, and seen."""

from __future__ import annotations

import json
import re

import pytest
from safetensors.numpy import load_file

from psa_tui.storage.checkpoint import read_checkpoint
from tests.seams.conftest import ALWAYS, EVERYTHING

pytestmark = pytest.mark.slow

LOOPS = 6
RULE = ("--mode", "three", "--arch", "[1*8]", "--dataset", "mnist5k")
"""A rule with the package's own network, data and backend."""


def checkpoint_in(folder):
    (found,) = folder.glob("*_lkg.safetensors")
    return found


@pytest.mark.parametrize("options", [RULE, EVERYTHING], ids=["a rule", "everything at once"])
def test_a_run_that_is_stopped_and_resumed_ends_as_one_that_never_stopped_and_is_seen(psa, options):
    run = ("train", *options, *ALWAYS, "--meta-loops", LOOPS, "--json")
    printed = psa(*run, "--model-dir", "whole", "--results-dir", "whole")
    psa.stop(*run, after='"event": "meta_loop_finished"')
    psa("resume", "--quiet")

    files = [checkpoint_in(psa.folder / folder) for folder in ("whole", "models")]
    whole, resumed = ({name: array.tobytes() for name, array in load_file(file).items()} for file in files)
    assert whole == resumed
    records = [read_checkpoint(file).record for file in files]
    assert records[0].progress == records[1].progress
    assert records[1].progress.meta_loop == LOOPS

    said = dict(zip(options[::2], options[1::2], strict=True))
    status, runs = psa("status"), psa("results", "runs")
    for value in (said["--mode"], said["--arch"], said["--dataset"], f"{LOOPS}/{LOOPS}"):
        assert value in status
        assert value in runs
    (checkpoint,) = json.loads(psa("status", "--json"))["checkpoints"]
    assert checkpoint["network"] == said.get("--network", "mlp")
    (probed,) = json.loads(psa("probe", "--kill", "1..8:7", "--draws", 4, "--json"))["checkpoints"]
    assert probed["test_accuracy"] == checkpoint["test_accuracy"]
    assert (probed["hidden_units"], probed["backend"]) == ((24, "slow") if options is EVERYTHING else (8, "numba"))
    assert [len(level["correct"]) for level in probed["levels"]] == [1, 4, 4]
    assert len({correct for level in probed["levels"] for correct in level["correct"]}) > 1
    check_events([json.loads(line) for line in printed.splitlines()], said)


def check_events(events, said):
    """Whether JSON tells what was asked for and what became of it."""
    started, finished = events[0], events[-1]
    assert {name: started[name] for name in ("network", "architecture", "mode", "dataset", "backend")} == {
        "network": said.get("--network", "mlp"),
        "architecture": said["--arch"],
        "mode": said["--mode"],
        "dataset": said["--dataset"],
        "backend": said.get("--backend", "numba"),
    }
    if said["--arch"] == "2x8":
        assert started["unit_counts"] == [8, 8, 8, 10]
        assert [block["name"] for block in started["blocks"]] == ["1 entry", "2 skip", "output"]
        assert (started["train_count"], started["validation_count"], started["test_count"]) == (600, 200, 200)
    loops = [event for event in events if event["event"] == "meta_loop_finished"]
    assert [loop["meta_loop"] for loop in loops] == list(range(1, LOOPS + 1))
    assert loops[0]["ablation"] is None
    assert all(len(loop["ablation"]["units"]) == 3 for loop in loops[1:])
    assert loops[0]["reason"] == "the first candidate"
    if said["--mode"].endswith("+ties"):
        assert all(loop["reason"] == "a tie" or loop["reason"].endswith(" correct") for loop in loops[1:])
    assert max(loop["validation_accuracy"] for loop in loops) > 0.5, "it learns"
    assert finished["outcome"] == "finished"


def test_the_dashboard_shows_everything_at_once(psa, terminal):
    command = psa.command("train", *EVERYTHING, *ALWAYS, "--meta-loops", 100_000)
    tty = terminal(command, size=(140, 45), **psa.environment())
    tty.wait_for_loop(3)
    for part in ("2x8", "three+ties", "digits8"):
        tty.wait_for_text(rf"\A.*{re.escape(part)}")
    tty.wait_for_text("3 units")
    tty.press("81")
    for block in ("1 entry", "2 skip", "output"):
        tty.wait_for_text(block)
    tty.press("q")
    assert tty.wait_for_end() == 130
    tty.assert_restored()
