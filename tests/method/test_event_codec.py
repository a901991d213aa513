import json
import math

import pytest

from psa_tui.method.ablation import AblatedUnit
from psa_tui.method.event_codec import decode_event, encode_event
from psa_tui.method.events import (
    Block,
    ControlChanged,
    EarlierLoops,
    EpochProgressed,
    MetaLoopFinished,
    Outcome,
    RunFinished,
    RunStarted,
    UnitsAblated,
    Verdict,
)
from psa_tui.method.hyperparameters import HYPERPARAMETERS, Hyperparameters
from psa_tui.method.progress import Progress

PROGRESS = Progress(meta_loop=3, validation_count=200, lkg_correct=120, lkg_meta_loop=2, best_correct=150)
UNITS = tuple(AblatedUnit(layer=1, unit=unit, incoming=6, outgoing=3) for unit in (2, 4))
ABLATION = UnitsAblated(member=1, meta_loop=3, mode="three", layers=4, units=UNITS)
STARTED = RunStarted(
    run="20260101-000000-abcd",
    resumed=True,
    network="mlp",
    architecture="[2*6]",
    parameters=4_822,
    unit_counts=(6, 6, 10),
    blocks=(Block(name="2 hidden", units=6, parameters=4_752), Block(name="output", units=10, parameters=70)),
    mode="hidden",
    hyperparameters=Hyperparameters(dropout=0.25),
    seed=2**63 - 1,
    dataset="mnist5k",
    dataset_fingerprint="0" * 64,
    train_count=4_000,
    validation_count=500,
    test_count=500,
    majority_class_accuracy=None,
    device="cpu",
    threads=2,
    backend="torch",
    checkpoint="models/mnist_lkg.safetensors",
    last_meta_loop=5,
    progress=PROGRESS,
    notices=("one", "two"),
)
EVENTS = [
    STARTED,
    EarlierLoops(
        meta_loops=(1, 2),
        validation_accuracies=(0.5, 0.6),
        promoted=(True, False),
        ablations=((), UNITS),
        train_losses=(0.1, None),
        train_accuracies=(0.75, None),
    ),
    ABLATION,
    EpochProgressed(meta_loop=3, images=64, image_count=300, loss=2.25, seconds=0.5),
    MetaLoopFinished(
        member=1,
        meta_loop=3,
        mode="three",
        verdict=Verdict.ROLLED_BACK,
        finite=True,
        validation_correct=100,
        validation_accuracy=0.5,
        gain=None,
        train_loss=0.25,
        seconds=1.5,
        ablation=ABLATION,
        progress=PROGRESS,
        reason="20 fewer correct than the LKG",
        train_accuracy=0.625,
    ),
    ControlChanged(paused=True, stop_after_loop=False, next_mode=None, log_level="info"),
    RunFinished(
        run="20260101-000000-abcd",
        outcome=Outcome.STOPPED,
        reason="Ctrl-C",
        last_meta_loop=5,
        progress=PROGRESS,
        test_accuracy=None,
        seconds=9.0,
    ),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_an_event_is_the_same_after_a_trip_through_json(event):
    assert decode_event(json.loads(json.dumps(encode_event(event), allow_nan=False))) == event


def test_schema_and_name_come_first_and_hyperparameters_are_keys_of_the_event():
    encoded = encode_event(STARTED)
    assert list(encoded)[:2] == ["schema", "event"]
    assert (encoded["schema"], encoded["event"]) == (2, "run_started")
    assert {spec.name: encoded[spec.name] for spec in HYPERPARAMETERS} == STARTED.hyperparameters.as_json()
    assert "hyperparameters" not in encoded


def test_a_loss_that_is_not_finite_is_null_and_comes_back_as_no_number():
    event = EpochProgressed(meta_loop=1, images=64, image_count=300, loss=math.inf, seconds=0.5)
    encoded = encode_event(event)
    assert encoded["loss"] is None
    assert math.isnan(decode_event(encoded).loss)


@pytest.mark.parametrize(
    "change", [{"schema": 3}, {"event": "nonesuch"}, {"unknown": 1}, {"run": None, "schema": None}]
)
def test_what_is_no_event_of_this_schema_is_refused(change):
    with pytest.raises((KeyError, TypeError, ValueError)):
        decode_event({**encode_event(STARTED), **change})
