"""Kill scripts that train by a loop of their own with ``psa_tui.Search``, start them again, and compare the ends.

    python tools/kill_search.py --kills 100

Every victim is a real process that loads its search, goes through the loops that are missing, and saves after each. It
dies by SIGKILL at a random moment, or within a save, at each step of all saves in turn. After each kill the file must
read as a good one, or not be there yet. Once a script is through, its file must equal, byte for byte, that of one that
nobody disturbed. Exit code 0 means that all of it held.

Processes are forked from one that has imported PyTorch, so that a kill costs milliseconds instead of seconds.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import signal
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset

import psa_tui
from psa_tui.networks.unit import OUTPUT, Place, Unit
from psa_tui.search.file import read_search

LOOPS = 8
STEPS = 8
"""Before and after a save's opening of its file, flushing, renaming, flushing of the folder."""
VARIANTS = ("output", "hidden+amount=2+promote=patience:2", "full+effect=noise+promote=anneal:5,0.9")
FILE = "search.safetensors"


def network() -> tuple[nn.Module, list[Unit]]:
    """Return a model with buffers and dropout, and its units: a neuron has its part of the norm behind it."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Dropout(0.2), nn.Linear(12, 3))
    hidden = ("0.weight", "0.bias", "1.weight", "1.bias")
    units = [
        Unit(f"0[{n}]", "neuron", "0", tuple(Place(name, 0, n) for name in hidden), (Place("4.weight", 1, n),))
        for n in range(12)
    ]
    return model, units + [
        Unit(f"4[{n}]", OUTPUT, "4", (Place("4.weight", 0, n), Place("4.bias", 0, n))) for n in range(3)
    ]


def script(folder: Path, variant: str, seed: int) -> None:
    """Be a user's script: go on with what is in ``folder``, or begin."""
    draws = torch.Generator().manual_seed(1)
    images = torch.randn(150, 8, generator=draws)
    labels = (images[:, :3] + torch.randn(150, 3, generator=draws)).argmax(1)
    train = TensorDataset(images[:96], labels[:96])
    model, units = network()
    path = folder / FILE
    search = (
        psa_tui.Search.load(path, model, units) if path.exists() else psa_tui.Search(model, units, variant, seed=seed)
    )
    for loop in search.loops(LOOPS):
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 3, 0.5)
        torch.manual_seed(loop.seed("dropout"))
        model.train()
        for inputs, wanted in DataLoader(train, 16, shuffle=True, generator=loop.generator("order")):
            optimizer.zero_grad()
            cross_entropy(model(inputs), wanted).backward()
            optimizer.step()
            scheduler.step()
        model.eval()
        with torch.no_grad():
            loop.report((model(images[96:]).argmax(1) == labels[96:]).double().mean())
        search.save(path)


def start(folder: Path, variant: str, seed: int, step: int | None = None) -> int:
    """Fork a process that runs the script in ``folder``, and dies at a step of its saves if one is given."""
    child = os.fork()
    if child:
        return child
    try:
        if step is not None:
            _die_at(step)
        script(folder, variant, seed)
    except BaseException:
        (folder / "log").write_text(traceback.format_exc())
        os._exit(1)
    os._exit(0)


def _die_at(step: int) -> None:
    """Let this process die at a call that opens, flushes or renames, ``STEPS`` a save: just before it or just after."""
    calls = itertools.count()

    def deadly(call: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any, **named: Any) -> Any:
            for what in (lambda: None, lambda: call(*arguments, **named)):
                done = what()
                if next(calls) == step:
                    os.kill(os.getpid(), signal.SIGKILL)
            return done

        return run

    os.fsync = deadly(os.fsync)
    Path.replace = deadly(Path.replace)  # type: ignore[method-assign]
    Path.open = deadly(Path.open)  # type: ignore[assignment,method-assign]


def finish(child: int, folder: Path) -> None:
    """Wait for a process that is left alone; it must succeed."""
    _, status = os.waitpid(child, 0)
    if status != 0:
        raise SystemExit(f"{folder}: an undisturbed script failed\n{(folder / 'log').read_text()}")


def torture(variant: str, kills: int, steps: Iterator[int], draws: random.Random, root: Path) -> int:
    """Kill ``kills`` scripts of ``variant``; return how many that were let through were compared."""
    compared = 0
    while kills:
        seed = draws.randrange(2**63)
        twin, victim = (Path(tempfile.mkdtemp(dir=root)) for _ in range(2))
        began = time.monotonic()
        finish(start(twin, variant, seed), twin)
        whole = time.monotonic() - began
        for _ in range(draws.randint(1, min(kills, 6))):
            if draws.random() < 0.5:
                child = start(victim, variant, seed)
                time.sleep(draws.uniform(0, whole))
                os.kill(child, signal.SIGKILL)
            else:
                child = start(victim, variant, seed, next(steps))
            _, status = os.waitpid(child, 0)
            if os.WIFEXITED(status) and os.WEXITSTATUS(status):
                raise SystemExit(f"{victim}: a script failed\n{(victim / 'log').read_text()}")
            kills -= os.WIFSIGNALED(status)
            if (victim / FILE).exists():
                read_search(victim / FILE)
            if not os.WIFSIGNALED(status):
                break
        finish(start(victim, variant, seed), victim)
        if (victim / FILE).read_bytes() != (twin / FILE).read_bytes():
            raise SystemExit(f"{victim} differs from {twin}")
        compared += 1
    return compared


def run() -> None:
    """Parse the command line and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=None, help="of the moments; random when absent, and printed")
    options = parser.parse_args()
    seed = random.randrange(2**32) if options.seed is None else options.seed
    print(f"moments drawn with seed {seed}", flush=True)
    draws, steps = random.Random(seed), itertools.cycle(range(STEPS * LOOPS))
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        # What the first optimiser imports, no child has to.
        script(Path(tempfile.mkdtemp(dir=folder)), "none", 0)
        compared = 0
        for index, variant in enumerate(VARIANTS):
            share = options.kills * (index + 1) // len(VARIANTS) - options.kills * index // len(VARIANTS)
            compared += torture(variant, share, steps, draws, Path(folder))
    print(f"{options.kills} kills over {len(VARIANTS)} variants: 0 unreadable files, {compared} equal to their twins")


if __name__ == "__main__":
    run()
