"""Makes ``files/``: one of everything that psa-tui keeps on disk, in a state that is not trivial.

The files that are stored beside this script were made by psa-tui 0.1.0, commit 8cce42e (checkpoint format 1, database
format 2, part state 1), by ``python -m tests.compatibility.make_files`` in the root of its source tree. They are kept
to show that later versions can still use them: do not make them again with a later version. This script reaches into
that version's modules, and is not expected to work with others.

All runs are of [2*4, 1*3] on mnist5k with seed 9, a learning rate of 1e-3 and one thread:

- ``finished``: two loops in mode dropout, then three more in mode output, finished.
- ``hidden``: six loops, stopped after the third.
- ``full``: six loops; the process was killed between writing loop 3 into the database and writing the checkpoint, so
  the database is one loop ahead.

Both of these were promoted in loops 1 and 2, and rolled back in loop 3.

The study ``small`` has shapes 1*4 (complete) and 2*3 (stopped after two of four loops), six modes and two trials.
"""

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import torch
from psa_tui.config import load_settings
from psa_tui.control import Control
from psa_tui.events import MetaLoopFinished
from psa_tui.modes import AblationMode
from psa_tui.stopping import StopRequest
from psa_tui.study.cell import load_study_data
from psa_tui.study.driver import Driver, Limits
from psa_tui.study.events import CellProgressed
from psa_tui.study.shapes import Shape
from psa_tui.study.spec import StudySpec
from psa_tui.study.store import open_store
from tests.study.workers import InProcess

from psa_tui import runner
from psa_tui.data import load_dataset
from tests.compatibility import old_files


class StopAfter:
    """A view that asks for a stop after a meta-loop."""

    def __init__(self, meta_loop, stop):
        self.meta_loop, self.stop = meta_loop, stop

    def handle(self, event):
        if isinstance(event, MetaLoopFinished) and event.meta_loop == self.meta_loop:
            self.stop.reason = "Ctrl-C"

    def close(self):
        pass


def train(name, mode, meta_loops, stop_after=None):
    settings = load_settings(
        {
            "arch": None if Path(name).exists() else "[2*4, 1*3]",
            "mode": mode,
            "meta_loops": meta_loops,
            "seed": 9,
            "lr": 1e-3,
            "dataset": "mnist5k",
            "device": "cpu",
            "threads": 1,
            "model_dir": name,
            "results_dir": "results",
        }
    )
    stop = StopRequest()
    runner.train(settings, runner.Surroundings([StopAfter(stop_after, stop)], stop, Control(), print))


def train_killed():
    """Leave at once where the checkpoint of loop 3 should be written."""
    write = runner.write_checkpoint

    def write_or_die(path, checkpoint):
        if checkpoint.record.progress.meta_loop == 3:
            os._exit(9)
        write(path, checkpoint)

    runner.write_checkpoint = write_or_die
    train("full", "full", 6)


def study():
    spec = StudySpec(
        name=old_files.STUDY,
        shapes=(Shape(1, 4), Shape(2, 3)),
        modes=tuple(AblationMode),
        trials=2,
        meta_loops=4,
        seed=6,
        dataset="mnist5k",
        dataset_fingerprint=load_dataset("mnist5k", Path()).fingerprint,
        learning_rate=1e-3,
    )
    data = load_study_data(spec, Path(), "cpu")
    stop = SimpleNamespace(reason=None)
    with open_store(Path("results")) as store:
        driver = Driver(
            spec,
            store,
            Path("results"),
            lambda: InProcess(spec, data, workers=1),
            lambda shape: shape.parameters / 1e6,
            Limits(),
            stop,
            {"psa-tui": runner.__version__},
        )
        for event in driver.run():
            if isinstance(event, CellProgressed) and (event.shape, event.meta_loop) == ("2*3", 2):
                stop.reason = "Ctrl-C"


def make():
    """Train everything in the working directory."""
    torch.set_num_threads(1)
    train("finished", "dropout", 2)
    train("finished", "output", 3)
    train("hidden", "hidden", 6, stop_after=3)
    root = Path(old_files.__file__).parents[2]
    command = [sys.executable, "-m", "tests.compatibility.make_files", "killed"]
    assert subprocess.run(command, env=os.environ | {"PYTHONPATH": str(root)}, check=False).returncode == 9
    study()


def main():
    # The name of the machine is nobody's business.
    platform.node = lambda: "a machine"
    platform.platform = lambda: "Linux"
    if sys.argv[1:] == ["killed"]:
        train_killed()
    with tempfile.TemporaryDirectory() as name:
        made = Path(name).resolve() / "made"
        made.mkdir()
        os.chdir(made)
        make()
        shutil.rmtree(old_files.FILES, ignore_errors=True)
        shutil.copytree(made, old_files.FILES, ignore=shutil.ignore_patterns(".*"))
        (old_files.FILES / "finished" / old_files.PREVIOUS).unlink()
        old_files.replace_place(old_files.FILES / "results", str(made), old_files.PLACE)
        shutil.rmtree(made)

        copy = Path(name).resolve() / "copy"
        copy.mkdir()
        old_files.copy_files(copy)
        old_files.EXPECTED.mkdir()
        for file in ("runs.json", *(file for file in old_files.COMMANDS if file != "runs.json")):
            names = {} if file == "runs.json" else old_files.run_names()
            (old_files.EXPECTED / file).write_text(old_files.answer(copy, file, names))


if __name__ == "__main__":
    main()
