import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from psa_tui.method.ablation import AblatedUnit
from psa_tui.method.events import MetaLoopFinished, Outcome, RunFinished
from psa_tui.method.hyperparameters import Hyperparameters
from psa_tui.settings import load_settings
from psa_tui.storage.header import Record
from psa_tui.storage.labels import NO_LABELS
from psa_tui.storage.meta_loops import MetaLoopRow
from psa_tui.storage.run_store import SplitCounts, open_runs
from psa_tui.storage.study_rows import COMPLETE, FAILED, LOCAL, TrialLoop, TrialRow
from psa_tui.storage.study_store import open_store
from psa_tui.views.workbench.app import Workbench

PATIENCE_S = 8.0
SPLITS = SplitCounts(train=4000, validation=1000, test=500, majority_class_accuracy=0.1)
RUNS = {
    "20260101-000001-aaaa": ("[2*8]", "none", 1e-3, 1, (500, 610, 605, 700)),
    "20260101-000002-bbbb": ("[2*8]", "output", 1e-2, 2, (300, 290, 450, 440)),
    "20260101-000003-cccc": ("[2*8]", "output", 1e-2, 3, (310, 500, 490, 520)),
    "20260101-000004-dddd": ("[4*4, 2*8]", "full", 1e-2, 4, (100, 110, 120, 900)),
}
"""Architecture, mode, learning rate, seed, and how many of 1,000 images each loop's candidate classifies."""
SHAPES, MODES = ("1*4", "1*8", "2*4", "2*8"), ("none", "output")


def add_run(build, folder, name, architecture, mode, rate, seed, corrects, *, labels=NO_LABELS):
    network = build.network_of(architecture)
    started, *events = build.story(architecture, corrects, seed=seed, last_meta_loop=len(corrects))
    record = Record(
        run=name,
        network="mlp",
        input_shape=network.input_shape,
        classes=network.classes,
        architecture=architecture,
        parameters=network.parameters,
        mode_history=((1, mode),),
        seed=seed,
        dataset="mnist5k",
        dataset_requested="mnist5k",
        dataset_fingerprint="0" * 64,
        hyperparameters=Hyperparameters(learning_rate=rate),
        last_meta_loop=len(corrects),
        progress=started.progress,
        test_correct=None,
        test_count=500,
        device="cpu",
        threads=1,
        backend="torch",
        machine="a machine",
        versions={"psa-tui": "0.1.0"},
    )
    with open_runs(folder / "results") as store:
        home = folder / "models" / (labels.name or name)
        store.begin_session(record, home / "mnist_lkg.safetensors", SPLITS, labels=labels)
        loops = [replace(event, mode=mode) for event in events if isinstance(event, MetaLoopFinished)]
        for loop in loops:
            store.add(name, loop)
        store.end(
            RunFinished(
                run=name,
                outcome=Outcome.FINISHED,
                reason="",
                last_meta_loop=len(corrects),
                progress=loops[-1].progress,
                test_accuracy=corrects[-1] / 1000,
                seconds=1.0,
                resume_command="psa resume",
            )
        )


def add_study(folder, name="plane", shapes=SHAPES, modes=MODES, trials=2):
    """A study in which wider is better, output better than none by a point, and one trial has failed."""
    with open_store(folder / "results") as store:
        settings = {
            "name": name,
            "shapes": list(shapes),
            "modes": list(modes),
            "dataset": "mnist5k",
            "learning_rate": 1e-2,
        }
        store.enter(name, LOCAL, settings, seed=1, meta_loops=2, trials=trials)
        rows, loops = [], []
        for shape in shapes:
            for mode in modes:
                for trial in range(1, trials + 1):
                    bounty = 0.5 + 0.05 * int(shape.split("*")[1]) + (0.01 if mode == "output" else 0) + 0.001 * trial
                    known = {"architecture": shape, "mode": mode, "trial": trial, "parameters": 100, "seed": 40 + trial}
                    if (shape, mode, trial) == ("2*8", "none", 2):
                        rows.append(TrialRow(**known, state=FAILED, reason="out of memory"))
                        continue
                    rows.append(
                        TrialRow(
                            **known, state=COMPLETE, meta_loop=2, bounty=bounty, bounty_meta_loop=2, test_accuracy=0.4
                        )
                    )
                    loops += [
                        TrialLoop(shape, trial, loop(number, mode, round(1000 * bounty) - 10 * (2 - number)))
                        for number in (1, 2)
                    ]
        store.put(name, rows, loops)


def loop(number, mode, correct):
    return MetaLoopRow(
        meta_loop=number,
        mode=mode,
        ablations=(AblatedUnit(layer=0, unit=number, incoming=784, outgoing=10),),
        train_loss=0.5,
        validation_correct=correct,
        validation_count=1000,
        finite=True,
        verdict="promoted",
        reason="",
        seconds=0.1,
        lkg_correct=correct,
        lkg_meta_loop=number,
    )


@pytest.fixture
def folder(tmp_path, monkeypatch, build):
    """Four runs and a study, all an hour old or less; the test works in their folder."""
    for name in ("NO_COLOR", "COLORFGBG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    moments = (datetime.now(UTC) - timedelta(hours=1) + timedelta(minutes=n) for n in range(1000))
    monkeypatch.setattr("psa_tui.storage.run_store.now", lambda: next(moments).isoformat(timespec="milliseconds"))
    for name, values in RUNS.items():
        add_run(build, tmp_path, name, *values)
    add_study(tmp_path)
    return tmp_path


class Eyes:
    """A user in front of the workbench: presses keys, and sees lines."""

    def __init__(self, pilot):
        self.pilot, self.app = pilot, pilot.app

    @property
    def lines(self):
        strips = self.app.screen._compositor.render_strips()
        return ["".join(segment.text for segment in strip).rstrip() for strip in strips]

    @property
    def text(self):
        return "\n".join(self.lines)

    async def press(self, *keys):
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def write(self, text):
        await self.press(*("space" if one == " " else one for one in text))

    async def see(self, *parts):
        """Wait until all of ``parts`` are on the screen."""
        deadline = time.monotonic() + PATIENCE_S
        while missing := [part for text in [self.text] for part in parts if part not in text]:
            assert time.monotonic() < deadline, f"never seen: {missing}\n{self.text}"
            await self.pilot.pause(0.05)

    async def click(self, text, times=1):
        """Click on the first place where ``text`` stands."""
        row = next(number for number, line in enumerate(self.lines) if text in line)
        await self.pilot.click(offset=(self.lines[row].index(text), row), times=times)
        await self.pilot.pause()


@pytest.fixture
def sit():
    """Sit down before the workbench of the current folder and do what a coroutine does with ``Eyes``."""

    def run(acts, size=(80, 24)):
        async def session():
            app = Workbench(load_settings({}))
            app.animation_level = "none"
            async with app.run_test(size=size, notifications=True) as pilot:
                await acts(Eyes(pilot))

        asyncio.run(session())

    return run
