"""A real run that promotes on one half of the validation images: all that it shows and stores is of the other."""

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from psa_tui.data import load_dataset
from psa_tui.runs.checkpoint_files import DEFAULT_NAME
from psa_tui.runs.controls import Control, modes_to_choose
from psa_tui.storage.checkpoint import read_checkpoint
from psa_tui.storage.run_store import read_runs

pytestmark = pytest.mark.slow

TRAIN = ("train", "--dataset", "mnist5k", "--arch", "[1*8]", "--lr", "5e-3", "--seed", "3", "--threads", "1")
HALF = (*TRAIN, "--mode", "full", "--promote", "half")


def test_a_run_that_promotes_on_half_reports_the_other_half_and_goes_on_to_the_same_bits(psa):
    done = psa(*HALF, "--meta-loops", "4", "--json", "--model-dir", "whole", "--results-dir", "whole")
    assert done.returncode == 0, done.stderr
    started, *_ = events = [json.loads(line) for line in done.stdout.splitlines()]
    labels = load_dataset("mnist5k", Path()).validation.labels[1::2]
    assert started["validation_count"] == len(labels) == 250
    assert started["majority_class_accuracy"] == np.bincount(labels).max() / 250
    assert started["notices"][-1] == (
        "mode full+promote=half promotes on half of the validation images; validation accuracies are of the other half"
    )
    loops = [event for event in events if event["event"] == "meta_loop_finished"]
    best = max(loops, key=lambda loop: (loop["promoting_correct"], -loop["meta_loop"]))
    progress = loops[-1]["progress"]
    assert (progress["lkg_meta_loop"], progress["best_meta_loop"]) == (best["meta_loop"],) * 2
    assert progress["lkg_correct"] == progress["best_correct"] == best["validation_correct"]
    with read_runs(Path("whole")) as history:
        (row,) = history.latest(1)
        rows = history.loops(row.run)
    assert (row.validation_count, row.majority_class_accuracy) == (250, started["majority_class_accuracy"])
    assert row.bounty == row.lkg_accuracy == best["validation_correct"] / 250
    assert [(one.validation_correct, one.validation_count, one.promoting_correct) for one in rows] == [
        (loop["validation_correct"], 250, loop["promoting_correct"]) for loop in loops
    ]
    plain = psa(*HALF, "--meta-loops", "2", "--plain")
    assert "250 validation" in plain.stdout
    assert psa("train", "--meta-loops", "2", "--quiet").returncode == 0
    ends = [read_checkpoint(Path(folder) / DEFAULT_NAME) for folder in ("whole", "models")]
    records = [replace(one.record, run="") for one in ends]
    assert records[0] == records[1]
    assert all(np.array_equal(ends[0].weights[name], ends[1].weights[name]) for name in ends[0].weights)


@pytest.mark.parametrize(("first", "then"), [(HALF, TRAIN), (TRAIN, HALF)])
def test_a_checkpoint_is_not_gone_on_with_in_a_mode_that_reports_other_images(psa, first, then):
    mode = () if first is HALF else ("--mode", "full")
    assert psa(*first, *mode, "--meta-loops", "1", "--quiet").returncode == 0
    before = Path("models", DEFAULT_NAME).read_bytes()
    refused = psa(*then, "--mode", "full", "--meta-loops", "1", "--quiet")
    # The axis of a run's mode is not a setting of its own: --mode says the whole of it.
    assert refused.returncode == 2
    assert "reports other validation images; --name NAME trains" in refused.stderr
    assert Path("models", DEFAULT_NAME).read_bytes() == before


def test_the_modes_to_choose_from_report_the_same_images():
    asked, keys = os.pipe()
    control = Control()
    control.listen(asked)
    choices = modes_to_choose("full+promote=half")
    assert choices == (
        "none+promote=half",
        "none+promote=half+decay",
        "none+promote=half+dropout",
        "full+promote=half",
        "hidden+promote=half",
        "output+promote=half",
    )
    os.write(keys, b"mode hidden+promote=half\n")
    assert control.poll("full+promote=half").next_mode == "hidden+promote=half"
    # What is none of these is not obeyed, and half a line waits for its rest.
    os.write(keys, b"mode hidden\nmode full")
    assert control.poll("full+promote=half").next_mode == "hidden+promote=half"
    os.write(keys, b"+promote=half\n")
    assert control.poll("full+promote=half").next_mode is None
    os.close(keys)
    os.close(asked)
