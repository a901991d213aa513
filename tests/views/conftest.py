import asyncio
import contextlib
import io
import itertools
import json
import os
import random
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from psa_tui.method.ablation import AblatedUnit
from psa_tui.method.event_codec import decode_event
from psa_tui.method.events import MetaLoopFinished, RunStarted, UnitsAblated, Verdict
from psa_tui.method.hyperparameters import Hyperparameters
from psa_tui.method.progress import Progress
from psa_tui.method.promotion import PROMOTIONS, Decision
from psa_tui.networks import NETWORKS
from psa_tui.views.display import DisplayOptions
from psa_tui.views.live.app import LiveApp
from psa_tui.views.live.feed import Feed
from psa_tui.views.state import RunState

RECORDING = Path(__file__).parent / "recorded_run.jsonl"
VALIDATION_COUNT = 1000


def network_of(architecture):
    """The network of ``architecture`` on MNIST."""
    return NETWORKS.find("mlp").parse(architecture, (1, 28, 28), 10)


def run_started(architecture="[2*8, 1*6]", last_meta_loop=40, **changes):
    """A run of ``architecture`` that begins."""
    network = network_of(architecture)
    values = {
        "run": "20260101-000000-abcd",
        "resumed": False,
        "network": "mlp",
        "architecture": architecture,
        "parameters": network.parameters,
        "unit_counts": tuple(network.unit_counts),
        "blocks": tuple(network.blocks()),
        "mode": "full",
        "hyperparameters": Hyperparameters(learning_rate=1e-3),
        "seed": 4294967295,
        "dataset": "fashion-mnist",
        "dataset_fingerprint": "0" * 64,
        "train_count": 50_000,
        "validation_count": VALIDATION_COUNT,
        "test_count": 10_000,
        "majority_class_accuracy": 0.1136,
        "device": "cuda:0",
        "threads": 16,
        "backend": "torch",
        "checkpoint": "models/mnist_lkg.safetensors",
        "last_meta_loop": last_meta_loop,
        "progress": Progress(validation_count=VALIDATION_COUNT),
        "notices": (),
    }
    return RunStarted(**{**values, **changes})


def finished_loop(progress, correct, ablation=None, finite=True, promoted=None, **changes):
    """The loop after ``progress``, whose candidate classified ``correct`` images correctly.

    The published rule decides unless ``promoted`` says what another did.
    """
    if promoted is None:
        promoted = finite and (progress.lkg_correct is None or correct > progress.lkg_correct)
    meta_loop = progress.meta_loop + 1
    values = {
        "member": 0,
        "meta_loop": meta_loop,
        "mode": "full",
        "verdict": Verdict.PROMOTED if promoted else Verdict.ROLLED_BACK,
        "finite": finite,
        "validation_correct": correct,
        "validation_accuracy": correct / progress.validation_count,
        "gain": None if progress.lkg_correct is None else (correct - progress.lkg_correct) / progress.validation_count,
        "train_loss": 0.5 if finite else float("nan"),
        "seconds": 1.0,
        "ablation": ablation,
        "progress": progress.after(meta_loop, correct, Decision(promoted, ""), finite=finite),
    }
    return MetaLoopFinished(**{**values, **changes})


def units_ablated(architecture, meta_loop, *units, effect="zero", mode="full"):
    """Units of ``architecture``, (layer, unit) each, damaged in loop ``meta_loop``."""
    counts = [784, *network_of(architecture).unit_counts, 0]
    return UnitsAblated(
        member=0,
        meta_loop=meta_loop,
        mode=mode,
        layers=len(counts) - 2,
        units=tuple(
            AblatedUnit(layer=layer, unit=unit, incoming=counts[layer], outgoing=counts[layer + 2], effect=effect)
            for layer, unit in units
        ),
    )


def story(architecture, corrects, *, seed=0, sick=(), **changes):
    """The events of a run whose candidates classified ``corrects``; the loops in ``sick`` were not finite."""
    draws = random.Random(seed)
    counts = network_of(architecture).unit_counts
    started = run_started(architecture, **{"last_meta_loop": len(corrects), **changes})
    events, progress = [started], started.progress
    for correct in corrects:
        ablation = None
        if progress.lkg_correct is not None:
            layer = draws.randrange(len(counts))
            unit = draws.randrange(counts[layer])
            ablation = units_ablated(architecture, progress.meta_loop + 1, (layer, unit))
            events.append(ablation)
        loop = finished_loop(progress, correct, ablation, finite=progress.meta_loop + 1 not in sick)
        events.append(loop)
        progress = loop.progress
    return events


def with_loss(event, losses):
    """The event, a finished loop with the next of ``losses``."""
    return replace(event, train_loss=next(losses)) if isinstance(event, MetaLoopFinished) else event


def replay(events):
    """The state after ``events`` and the clock: loops take what they say, all else nothing."""
    state, now = RunState(), 1000.0
    for event in events:
        now += event.seconds if isinstance(event, MetaLoopFinished) else 0.0
        state.fold(event, now)
    return state, now


def hostile_events(texts):
    """A recorded run in whose fields ``texts`` stand one after another, as JSON-ready events."""
    texts = itertools.cycle(texts)
    for line in RECORDING.read_text(encoding="utf-8").splitlines():
        values = json.loads(line)
        if values["event"] == "run_started":
            change = {"meta_loop": 1, "name": "lr", "before": "", "after": ""}
            values |= {"name": "", "notices": [""], "setting_changes": [change]}
        yield _with_texts(values, texts)


def _with_texts(value, texts):
    if isinstance(value, dict):
        fixed = ("event", "verdict", "outcome", "effect")
        return {name: one if name in fixed else _with_texts(one, texts) for name, one in value.items()}
    if isinstance(value, list):
        return [_with_texts(one, texts) for one in value]
    return next(texts) if isinstance(value, str) else value


class Stage:
    """A live screen without a terminal: what a user would see of a state, at any size, after any keys."""

    def __init__(self, pilot, feed):
        self.pilot, self.feed = pilot, feed
        self.asked = []
        feed.send = self.asked.append

    @property
    def app(self):
        return self.pilot.app

    async def show(self, state=None, size=None, options=None):
        """Show ``state`` in ``size`` with ``options``; what is None stays as it was."""
        self.feed.state = self.feed.state if state is None else state
        if size is not None:
            await self.pilot.resize_terminal(*size)
            # A busy machine takes its time to lay out.
            while tuple(self.app.screen.size) != tuple(size):
                await self.pilot.pause(0.01)
            await self.pilot.pause()
        if options is not None:
            self.app._options = options
        self.app.show()
        await self.pilot.pause()
        if options is not None and hasattr(self.app.screen, "options"):
            self.app.screen.options = options
            self.app.screen.redraw()
            await self.pilot.pause()
        return self

    async def press(self, *keys):
        await self.pilot.press(*keys)
        await self.pilot.pause()
        return self

    def lines(self, color_system=None):
        """The screen's lines as a terminal gets them; without colour and without styles unless asked."""
        width, height = self.app.size
        console = Console(
            file=io.StringIO(), width=width, height=height, force_terminal=True, color_system=color_system
        )
        console.print(self.app.screen._compositor.render_update(full=True), end="")
        lines = re.split(r"\x1b\[\d+;1H", console.file.getvalue())[1:]
        return [line.removesuffix("\n") for line in lines]

    @property
    def text(self):
        return "\n".join(line.rstrip() for line in self.lines())


@contextlib.asynccontextmanager
async def stage(state, size=(80, 24), now=0.0, options=None):
    """A stage that shows ``state`` at ``now``."""
    feed = Feed(*os.pipe())
    feed.state = state
    async with LiveApp(feed, options or DisplayOptions(), lambda: now).run_test(size=size) as pilot:
        await pilot.pause()
        yield Stage(pilot, feed)


def picture(state, width, height, now, options, color_system=None, keys=()):
    """The lines of ``Stage`` at that size."""

    async def take():
        async with stage(state, (width, height), now, options) as shown:
            await shown.press(*keys)
            return shown.lines(color_system)

    return asyncio.run(take())


@pytest.fixture
def any_rule(monkeypatch):
    """A promotion rule called "any", which takes every candidate."""

    class Any:
        def decide(self, progress, correct, draws):
            return Decision(True, "anything goes")

    monkeypatch.setitem(PROMOTIONS._items, "any", Any())


@pytest.fixture(scope="session")
def recorded():
    """The events of a real run of 40 meta-loops."""
    return [decode_event(json.loads(line)) for line in RECORDING.read_text().splitlines()]


@pytest.fixture(scope="session")
def build():
    """The functions above, for tests that make events by hand."""

    class Build:
        pass

    for function in (network_of, run_started, finished_loop, units_ablated, story, with_loss, replay, picture, stage):
        setattr(Build, function.__name__, staticmethod(function))
    return Build
