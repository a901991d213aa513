"""How long the findings of a whole study take: 98 shapes, 6 modes, 10 trials of 100 meta-loops in one database.

``python -m benchmarks.results`` makes the database in a temporary folder (588,000 loops) and times each command as
a user runs it, process start included: the best and the median of five runs, and the least processor time, which
other programs on the machine disturb less.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.machine import describe, load
from psa_tui.analysis.sources import load_trials
from psa_tui.method.ablation import AblatedUnit
from psa_tui.method.variants import describe_variant
from psa_tui.storage.meta_loops import MetaLoopRow
from psa_tui.storage.study_rows import TrialLoop, TrialRow
from psa_tui.storage.study_store import open_store

META_LOOPS, IMAGES, RUNS = 100, 10_000, 5
COMMANDS = (
    "summary",
    "trials",
    "regimes",
    "compare",
    "compare --within",
    "compare --pool",
    "compare --of harm",
    "aa",
    "survival",
    "profile",
    "table accuracy",
    "curves",
    "curves --measure gain",
)


def make_database(folder: Path) -> None:
    """Write a study with the published trials' best accuracies, each reached on a random path."""
    drawn = np.random.default_rng(0)
    trials = load_trials("published")
    expected = trials.attrs["expected"]
    settings = {"shapes": expected["architectures"], "modes": expected["modes"], "dataset": "mnist"}
    with open_store(folder) as store:
        store.enter("reproduction", "local", settings, seed=0, meta_loops=META_LOOPS, trials=expected["trials"])
        for _, shape in trials.groupby("architecture", sort=False):
            rows, loops = [], []
            for trial in shape.itertuples():
                best = round(trial.best_validation_accuracy * IMAGES)
                corrects = drawn.integers(min(900, best), best, META_LOOPS, endpoint=True)
                corrects[drawn.integers(META_LOOPS)] = best
                ablates = describe_variant(trial.mode).ablates
                units = drawn.integers(trial.depth * trial.width, size=META_LOOPS)
                lkg = np.maximum.accumulate(np.concatenate([[-1], corrects]))
                promoted = corrects > lkg[:-1]
                for index, correct in enumerate(corrects):
                    layer, unit = divmod(int(units[index]), trial.width)
                    hit = AblatedUnit(layer=layer, unit=unit, incoming=trial.width, outgoing=0)
                    loop = MetaLoopRow(
                        meta_loop=index + 1,
                        mode=trial.mode,
                        ablations=(hit,) if ablates and index else (),
                        train_loss=0.5,
                        validation_correct=int(correct),
                        validation_count=IMAGES,
                        finite=True,
                        verdict="promoted" if promoted[index] else "rolled_back",
                        reason="",
                        seconds=1.0,
                    )
                    loops.append(TrialLoop(trial.architecture, trial.trial, loop))
                rows.append(
                    TrialRow(
                        architecture=trial.architecture,
                        mode=trial.mode,
                        trial=trial.trial,
                        parameters=trial.parameters,
                        seed=trial.trial,
                        meta_loop=META_LOOPS,
                        bounty=best / IMAGES,
                        bounty_meta_loop=int(corrects.argmax()) + 1,
                        test_accuracy=best / IMAGES,
                    )
                )
            store.put("reproduction", rows, loops)


def main() -> None:
    """Print a line a command."""
    print(describe())
    print(load())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        begun = time.perf_counter()
        make_database(folder)
        size = (folder / "history.sqlite").stat().st_size
        print(f"database: {size / 1e6:.0f} MB, made in {time.perf_counter() - begun:.1f} s")
        for command in COMMANDS:
            line = [sys.executable, "-m", "psa_tui", "results", *command.split(), "--results-dir", name]
            taken, worked = [], []
            for _ in range(RUNS):
                begun, before = time.perf_counter(), _processor_s()
                subprocess.run(line, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                taken.append(time.perf_counter() - begun)
                worked.append(_processor_s() - before)
            median = statistics.median(taken)
            print(
                f"psa results {command:<21} best {min(taken):5.2f} s  median {median:5.2f} s  "
                f"processor {min(worked):5.2f} s",
                flush=True,
            )


def _processor_s() -> float:
    """The processor time of all processes that were waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
