"""Populations on all cores: processes that each train a share of the trials, one meta-loop at a time."""

from __future__ import annotations

import multiprocessing
import resource
import sys
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import torch

from psa_tui.data import Dataset, Split, load_dataset
from psa_tui.engine.backends.torch.chunking import Parallelism
from psa_tui.engine.backends.torch.training import Images, effective_decay
from psa_tui.engine.meta_loop import Population, Recipe, Trial, run_meta_loops
from psa_tui.engine.population import initial_weights, layout, stack
from psa_tui.method.events import MetaLoopFinished, Progress
from psa_tui.method.variants import AblationMode
from psa_tui.networks.mlp import Architecture, parse_architecture

RECIPE = Recipe(learning_rate=1e-4, batch_size=256, weight_decay=1e-4, dropout=0.1)

_ENDLESS = 1 << 40

Member = tuple[int, AblationMode]


def distinct(members: Sequence[Member]) -> int:
    """How many of ``members`` differ: decay at the recipe's rates is nothing in float32, its trials are ``none``'s."""
    assert effective_decay(RECIPE.learning_rate, RECIPE.weight_decay, torch.float32) == 0
    return len({(seed, AblationMode.NONE if mode is AblationMode.DECAY else mode) for seed, mode in members})


class Memory(NamedTuple):
    """Resident bytes of one process."""

    peak: int
    files: int
    """Of files it maps, now."""


class Trials:
    """A population in this process, or one trial in ``together`` of them."""

    def __init__(self, architecture: Architecture, members: Sequence[Member], data: Dataset, together: int = 1) -> None:
        """``members`` are (seed, mode); the first meta-loop is run here, to make every later one alike."""
        layers = layout(architecture)
        trials = [Trial(seed, mode, Progress(validation_count=len(data.validation.labels))) for seed, mode in members]
        weights = stack([initial_weights(layers, seed) for seed, _ in members], torch.device("cpu"))
        self.population = Population(layers, trials, weights)
        self.train, self.validation = (_images(data, split) for split in (data.train, data.validation))
        self.pixels = self.train.columns.common.shape[1]
        self._events = run_meta_loops(self.population, self.train, self.validation, RECIPE, _ENDLESS, together)
        self.meta_loop()

    def meta_loop(self) -> None:
        """Run one more meta-loop: clone, ablate, train, measure, promote or roll back."""
        for event in self._events:
            if isinstance(event, MetaLoopFinished) and event.member == len(self.population.trials) - 1:
                return


class Processes:
    """A population divided among processes by trial, so that the modes of a trial stay together."""

    def __init__(
        self, architecture: Architecture, members: Sequence[Member], processes: int, how: Parallelism, dataset_dir: Path
    ) -> None:
        """Start the processes, each of which may train in the manner ``how``; wait for the first meta-loops."""
        context = multiprocessing.get_context("spawn")
        shares = divide(members, processes)
        self.pipes: list[Connection] = []
        for share in shares:
            ours, theirs = context.Pipe()
            arguments = (theirs, str(architecture), share, how, dataset_dir)
            context.Process(target=_serve, args=arguments, daemon=True).start()
            theirs.close()
            self.pipes.append(ours)
        self.pixels: int = max([pipe.recv() for pipe in self.pipes])
        self.memory: list[Memory] = []

    def meta_loop(self) -> float:
        """Run one meta-loop of every member; the seconds until the last process is done."""
        started = time.perf_counter()
        for pipe in self.pipes:
            pipe.send(True)
        self.memory = [pipe.recv() for pipe in self.pipes]
        return time.perf_counter() - started

    def close(self) -> None:
        """Let the processes end."""
        for pipe in self.pipes:
            pipe.send(False)

    @property
    def peak_bytes(self) -> int:
        """The processes' peak resident memory; the files that all of them map, such as PyTorch's, count once."""
        files = [used.files for used in self.memory]
        return sum(used.peak for used in self.memory) - sum(files) + max(files)


def divide(members: Sequence[Member], processes: int) -> list[list[Member]]:
    """``members`` in at most ``processes`` shares by seed, or by member where there are fewer seeds."""
    seeds = list(dict.fromkeys(seed for seed, _ in members))
    if len(seeds) >= processes:
        shares = [[member for member in members if seeds.index(member[0]) % processes == i] for i in range(processes)]
    else:
        shares = [list(members[i::processes]) for i in range(processes)]
    return [share for share in shares if share]


def _serve(pipe: Connection, text: str, members: list[Member], how: Parallelism, dataset_dir: Path) -> None:
    torch.set_num_threads(how.threads)
    trials = Trials(parse_architecture(text), members, load_dataset("mnist", dataset_dir), how.processes)
    pipe.send(trials.pixels)
    while pipe.recv():
        trials.meta_loop()
        pipe.send(_memory())


def _memory() -> Memory:
    status = Path("/proc/self/status")
    if status.exists():
        # Linux's ru_maxrss would begin with that of the parent.
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return Memory(*(int(lines[name].split()[0]) * 1024 for name in ("VmHWM", "RssFile")))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return Memory(peak, 0)


def _images(data: Dataset, split: Split) -> Images:
    return Images(torch.from_numpy(split.pixels), torch.from_numpy(split.labels), data.mean, data.std)
