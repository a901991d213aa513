"""Populations on all cores: processes that each train some of the trials, one meta-loop at a time."""

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

from psa_tui.data import DATASETS, Dataset, load_dataset
from psa_tui.engine.backend import BACKENDS
from psa_tui.engine.epoch import effective_decay
from psa_tui.engine.images import load_images
from psa_tui.engine.meta_loop import Population, Trial, run_meta_loops
from psa_tui.engine.population import initial_population_row, stack
from psa_tui.method.events import MetaLoopFinished
from psa_tui.method.hyperparameters import Hyperparameters
from psa_tui.method.progress import Progress
from psa_tui.method.variants import NONE, Variant
from psa_tui.networks import NETWORKS
from psa_tui.networks.mlp import Mlp

HYPERPARAMETERS = Hyperparameters(learning_rate=1e-4, batch_size=256, weight_decay=1e-4, dropout=0.1)
BACKEND = BACKENDS.find("numba")
SPEC = DATASETS.find("mnist")

_ENDLESS = 1 << 40

Member = tuple[int, Variant]


def distinct(members: Sequence[Member]) -> int:
    """Return how many of ``members`` differ: decay at these rates is nothing in float32, its trials are ``none``'s."""
    assert effective_decay(HYPERPARAMETERS, torch.float32) == 0
    return len({(seed, NONE if variant.weight_decay else variant) for seed, variant in members})


def mlp(text: str) -> Mlp:
    """Return the network that ``text`` describes, for MNIST."""
    network = NETWORKS.find(Mlp.family).parse(text, SPEC.input_shape, SPEC.classes)
    assert isinstance(network, Mlp)
    return network


class Memory(NamedTuple):
    """Resident bytes of one process."""

    peak: int
    files: int
    """Of files it maps, now."""


class Trials:
    """A population in this process."""

    def __init__(self, network: Mlp, members: Sequence[Member], data: Dataset) -> None:
        """``members`` are (seed, variant); the first meta-loop is run here, to make every later one alike."""
        device = torch.device("cpu")
        train, validation = (load_images(split, data.spec, device) for split in (data.train, data.validation))
        trials = [Trial(seed, variant, Progress(validation_count=len(validation))) for seed, variant in members]
        weights = stack([initial_population_row(network, seed) for seed, _ in members], device)
        self.population = Population(network, trials, weights, BACKEND)
        self.pixels = round(int(train.pixels.count_nonzero()) / len(train))
        self._events = run_meta_loops(self.population, train, validation, HYPERPARAMETERS, _ENDLESS)
        self.meta_loop()

    def meta_loop(self) -> None:
        """Run one more meta-loop: clone, ablate, train, measure, promote or roll back."""
        for event in self._events:
            if isinstance(event, MetaLoopFinished) and event.member == len(self.population.trials) - 1:
                return


class Processes:
    """A population divided among processes by trial, so that the variants of a trial stay together."""

    def __init__(
        self, network: Mlp, members: Sequence[Member], processes: int, threads: int, dataset_dir: Path
    ) -> None:
        """Start the processes, of ``threads`` each; wait for the first meta-loops."""
        context = multiprocessing.get_context("spawn")
        self.pipes: list[Connection] = []
        for some in divide(members, processes):
            ours, theirs = context.Pipe()
            arguments = (theirs, network, some, threads, dataset_dir)
            context.Process(target=_serve, args=arguments, daemon=True).start()
            theirs.close()
            self.pipes.append(ours)
        self.pixels: int = max([pipe.recv() for pipe in self.pipes])
        self.memory: list[Memory] = []

    def meta_loop(self) -> float:
        """Run one meta-loop of every member; return the seconds until the last process is done."""
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
    """Divide ``members`` into at most ``processes`` parts by seed, or by member where there are fewer seeds."""
    seeds = list(dict.fromkeys(seed for seed, _ in members))
    if len(seeds) >= processes:
        parts = [[member for member in members if seeds.index(member[0]) % processes == i] for i in range(processes)]
    else:
        parts = [list(members[i::processes]) for i in range(processes)]
    return [part for part in parts if part]


def _serve(pipe: Connection, network: Mlp, members: list[Member], threads: int, dataset_dir: Path) -> None:
    torch.set_num_threads(threads)
    trials = Trials(network, members, load_dataset(SPEC.name, dataset_dir))
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
