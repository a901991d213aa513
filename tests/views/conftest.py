import io
import json
import random
from pathlib import Path

import pytest
from rich.console import Console

from psa_tui.method.events import MetaLoopFinished, NeuronAblated, Progress, RunStarted, Verdict, from_json
from psa_tui.method.variants import AblationMode
from psa_tui.networks.mlp import parse_architecture
from psa_tui.views.screen import render
from psa_tui.views.state import RunState

RECORDING = Path(__file__).parent / "recorded_run.jsonl"
VALIDATION_COUNT = 1000


def run_started(architecture="[2*8, 1*6]", last_meta_loop=40, **changes):
    """A run of ``architecture`` that begins."""
    values = {
        "run": "20260101-000000-abcd",
        "resumed": False,
        "architecture": architecture,
        "parameters": parse_architecture(architecture).parameters,
        "mode": AblationMode.FULL,
        "learning_rate": 1e-3,
        "batch_size": 256,
        "weight_decay": 1e-4,
        "dropout": 0.1,
        "seed": 4294967295,
        "dataset": "fashion-mnist",
        "dataset_fingerprint": "0" * 64,
        "train_count": 50_000,
        "validation_count": VALIDATION_COUNT,
        "test_count": 10_000,
        "majority_class_accuracy": 0.1136,
        "device": "cuda:0",
        "threads": 16,
        "checkpoint": "models/mnist_lkg.safetensors",
        "last_meta_loop": last_meta_loop,
        "progress": Progress(validation_count=VALIDATION_COUNT),
        "notices": (),
    }
    return RunStarted(**{**values, **changes})


def finished_loop(progress, correct, ablation=None, finite=True):
    """The loop after ``progress``, whose candidate classified ``correct`` images correctly."""
    promoted = finite and (progress.lkg_correct is None or correct > progress.lkg_correct)
    meta_loop = progress.meta_loop + 1
    after = Progress(
        meta_loop=meta_loop,
        validation_count=progress.validation_count,
        lkg_correct=correct if promoted else progress.lkg_correct,
        lkg_meta_loop=meta_loop if promoted else progress.lkg_meta_loop,
        promotions=progress.promotions + promoted,
        rollbacks=progress.rollbacks + (not promoted),
        rollbacks_in_a_row=0 if promoted else progress.rollbacks_in_a_row + 1,
        non_finite=progress.non_finite + (not finite),
    )
    return MetaLoopFinished(
        member=0,
        meta_loop=meta_loop,
        mode=AblationMode.FULL,
        verdict=Verdict.PROMOTED if promoted else Verdict.ROLLED_BACK,
        finite=finite,
        validation_correct=correct,
        validation_accuracy=correct / progress.validation_count,
        gain=None if progress.lkg_correct is None else (correct - progress.lkg_correct) / progress.validation_count,
        train_loss=0.5 if finite else float("nan"),
        seconds=1.0,
        ablation=ablation,
        progress=after,
    )


def neuron_ablated(architecture, meta_loop, layer, neuron):
    """A neuron of ``architecture`` zeroed in loop ``meta_loop``."""
    widths = [784, *parse_architecture(architecture).hidden_widths(), 10]
    return NeuronAblated(
        member=0,
        meta_loop=meta_loop,
        mode=AblationMode.FULL,
        layer=layer,
        layers=len(widths) - 1,
        neuron=neuron,
        width=widths[layer + 1],
        incoming=widths[layer],
        outgoing=widths[layer + 2] if layer + 2 < len(widths) else 0,
    )


def story(architecture, corrects, *, seed=0, sick=(), **changes):
    """The events of a run whose candidates classified ``corrects``; the loops in ``sick`` were not finite."""
    draws = random.Random(seed)
    widths = [*parse_architecture(architecture).hidden_widths(), 10]
    started = run_started(architecture, **{"last_meta_loop": len(corrects), **changes})
    events, progress = [started], started.progress
    for correct in corrects:
        ablation = None
        if progress.lkg_correct is not None:
            layer = draws.randrange(len(widths))
            ablation = neuron_ablated(architecture, progress.meta_loop + 1, layer, draws.randrange(widths[layer]))
            events.append(ablation)
        loop = finished_loop(progress, correct, ablation, finite=progress.meta_loop + 1 not in sick)
        events.append(loop)
        progress = loop.progress
    return events


def replay(events):
    """The state after ``events`` and the clock: loops take what they say, all else nothing."""
    state, now = RunState(), 1000.0
    for event in events:
        now += event.seconds if isinstance(event, MetaLoopFinished) else 0.0
        state.fold(event, now)
    return state, now


def picture(state, width, height, now, look, color_system=None):
    """The screen's lines as a terminal gets them; without colour and without styles unless asked."""
    console = Console(
        file=io.StringIO(), width=width, height=height, force_terminal=True, color_system=color_system, no_color=False
    )
    console.print(render(state, width, height, now, look), width=width, height=height, end="", highlight=False)
    return console.file.getvalue().removesuffix("\n").split("\n")


@pytest.fixture(scope="session")
def recorded():
    """The events of a real run of 40 meta-loops."""
    return [from_json(json.loads(line)) for line in RECORDING.read_text().splitlines()]


@pytest.fixture(scope="session")
def build():
    """The functions above, for tests that make events by hand."""

    class Build:
        pass

    for function in (run_started, finished_loop, neuron_ablated, story, replay, picture):
        setattr(Build, function.__name__, staticmethod(function))
    return Build
