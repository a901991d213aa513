"""Kill training processes at random moments, resume them, and compare with runs nobody disturbed.

    python tools/kill_resume.py --kills 1000

Every victim is a real process that runs ``psa train`` or ``psa resume`` and dies by SIGKILL. After each kill the
checkpoint must read as a good file. Once a run is complete its weights, counters and history must equal, bit
for bit, those of an undisturbed run of the same seed. Exit code 0 means that all of it held.

Processes are forked from one that has imported PyTorch, so that a kill costs milliseconds instead of seconds.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sqlite3
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch  # noqa: F401  (imported before forking)

import psa_tui.engine.meta_loop
import psa_tui.runs.runner  # noqa: F401
from psa_tui.cli import main
from psa_tui.method.variants import PUBLISHED, split_list
from psa_tui.runs.checkpoint_files import DEFAULT_NAME
from psa_tui.storage.checkpoint import previous_path, read_checkpoint
from psa_tui.storage.run_store import read_runs

META_LOOPS = 12


def start(folder: Path, *words: str) -> int:
    """Fork a process that runs ``psa`` with ``words`` in ``folder``; its output goes to a log there."""
    child = os.fork()
    if child:
        return child
    try:
        os.chdir(folder)
        log = os.open("log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(log, 1)
        os.dup2(log, 2)
        sys.argv = ["psa", *words, "--plain"]
        main()
    except SystemExit as leave:
        os._exit(leave.code if isinstance(leave.code, int) else 1)
    except BaseException:
        os._exit(99)
    os._exit(0)


def arguments(mode: str, seed: int, begun: bool) -> list[str]:
    """A run of a second or less, with promotions and rollbacks, from its beginning or gone on with.

    Every other run trains on two threads.
    """
    threads = ["--threads", str(1 + seed % 2)]
    if begun:
        return ["resume", *threads]
    shape = ("[2*6]", "[1*40]")[seed // 2 % 2]
    what = ["--dataset", "mnist5k", "--arch", shape, "--mode", mode, "--seed", str(seed), "--lr", "5e-3"]
    return ["train", *what, "--meta-loops", str(META_LOOPS), *threads]


def finish(child: int, folder: Path) -> None:
    """Wait for a process that is left alone; it must succeed."""
    _, status = os.waitpid(child, 0)
    if status != 0:
        raise SystemExit(f"{folder}: an undisturbed process failed\n{(folder / 'log').read_text()}")


def check_readable(folder: Path) -> bool:
    """Whether there is a checkpoint yet; if there is, it and its previous generation must be good."""
    path = folder / "models" / DEFAULT_NAME
    for candidate in (path, previous_path(path)):
        if candidate.exists():
            read_checkpoint(candidate)
    return path.exists()


def outcome(folder: Path) -> tuple[object, dict[str, bytes], list[tuple[object, ...]], tuple[object, ...]]:
    """All that must not depend on kills: record, weights, loops and the run's row, without names and times."""
    checkpoint = read_checkpoint(folder / "models" / DEFAULT_NAME)
    record = replace(checkpoint.record, run="")
    with read_runs(folder / "results") as history:
        assert history is not None
        (run,) = {row.run for row in history.latest(10) if row.meta_loop} or {checkpoint.record.run}
        loops = [replace(row, seconds=None).values() for row in history.loops(run)]
        (row,) = (row for row in history.latest(10) if row.run == run)
    facts = (
        row.state,
        row.meta_loop,
        row.last_meta_loop,
        row.bounty,
        row.bounty_meta_loop,
        row.lkg_accuracy,
        row.test_accuracy,
    )
    tensors = checkpoint.weights | checkpoint.state
    return record, {name: np.ascontiguousarray(a).tobytes() for name, a in tensors.items()}, loops, facts


def torture(mode: str, kills: int, draws: random.Random, root: Path) -> int:
    """Kill ``kills`` processes of ``mode``; returns how many completed runs were compared."""
    compared = 0
    while kills:
        seed = draws.randrange(2**32)
        twin, victim = (root / f"{sum(mode.encode())}-{seed}-{which}" for which in ("twin", "victim"))
        twin.mkdir()
        victim.mkdir()
        began = time.monotonic()
        finish(start(twin, *arguments(mode, seed, False)), twin)
        whole = time.monotonic() - began
        exists = False
        for _ in range(draws.randint(1, min(kills, 8))):
            child = start(victim, *arguments(mode, seed, exists))
            time.sleep(draws.uniform(0, whole))
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
            kills -= os.WIFSIGNALED(status)
            exists = check_readable(victim)
        finish(start(victim, *arguments(mode, seed, exists)), victim)
        check_readable(victim)
        if outcome(victim) != outcome(twin):
            raise SystemExit(f"{victim} differs from {twin}")
        assert len(outcome(twin)[2]) == META_LOOPS
        compared += 1
    return compared


def run() -> None:
    """Parse the command line and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--modes", default=",".join(map(str, PUBLISHED)), help="whose runs are killed, in turn")
    parser.add_argument("--seed", type=int, default=None, help="of the moments; random when absent, and printed")
    options = parser.parse_args()
    seed = random.randrange(2**32) if options.seed is None else options.seed
    print(f"moments drawn with seed {seed}", flush=True)
    draws = random.Random(seed)
    modes = split_list(options.modes)
    compared = 0
    with tempfile.TemporaryDirectory() as folder:
        for index, mode in enumerate(modes):
            share = options.kills * (index + 1) // len(modes) - options.kills * index // len(modes)
            compared += torture(mode, share, draws, Path(folder))
    print(f"{options.kills} kills over {len(modes)} modes: 0 unreadable files, {compared} runs equal to their twins")


if __name__ == "__main__":
    try:
        run()
    except sqlite3.Error as error:
        raise SystemExit(f"the history is damaged: {error}") from error
