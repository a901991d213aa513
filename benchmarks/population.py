"""Populations on all cores: processes that each train some of the trials, one meta-loop at a time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks import worker
from psa_tui.data import DATASETS
from psa_tui.engine.epoch import effective_decay
from psa_tui.method.hyperparameters import Hyperparameters
from psa_tui.method.variants import NONE, Variant
from psa_tui.networks import NETWORKS
from psa_tui.networks.mlp import Mlp
from psa_tui.networks.stacked import StackedNetwork

HYPERPARAMETERS = Hyperparameters(**worker.HYPERPARAMETERS)
SPEC = DATASETS.find("mnist")
THIS = Path(__file__).parents[1]
"""The folder of this version."""

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


def stacked(family: str, text: str) -> StackedNetwork:
    """Return the network of ``family`` that ``text`` describes, for MNIST."""
    network = NETWORKS.find(family).parse(text, SPEC.input_shape, SPEC.classes)
    assert isinstance(network, StackedNetwork)
    return network


class Processes:
    """A population divided among processes by trial, so that the variants of a trial stay together."""

    def __init__(
        self,
        shape: str,
        members: Sequence[Member],
        processes: int,
        threads: int | None,
        dataset_dir: Path,
        folder: Path = THIS,
        dataset: str = SPEC.name,
        backend: str = "auto",
        family: str = Mlp.family,
    ) -> None:
        """Start the processes, of ``threads`` each or as many as a run takes; wait for the first meta-loops.

        ``folder`` has the version of psa_tui that trains.
        """
        self.folder = folder
        # Nothing but that version: no current folder, and nothing that is installed comes before it.
        command = [sys.executable, "-P", worker.__file__]
        environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
        self.workers = []
        for some in divide(members, processes):
            one = subprocess.Popen(
                command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
            )
            self.workers.append(one)
            order: worker.Order = {
                "dataset": dataset,
                "dataset_dir": str(dataset_dir.absolute()),
                "network": family,
                "shape": shape,
                "backend": backend,
                "members": [(seed, variant.name) for seed, variant in some],
                "threads": threads,
            }
            assert one.stdin is not None
            one.stdin.write(json.dumps(order) + "\n")
        self.about = self._answers()[0]
        if Path(self.about["folder"]).resolve() != folder.resolve():
            self.close()
            sys.exit(f"{folder} has no psa_tui: found that of {self.about['folder']}; expected a checkout")

    def meta_loop(self) -> float:
        """Run one meta-loop of every member; return the seconds until the last process is done."""
        started = time.perf_counter()
        for one in self.workers:
            assert one.stdin is not None
            one.stdin.write("\n")
        self._answers()
        return time.perf_counter() - started

    def close(self) -> None:
        """Let the processes end."""
        for one in self.workers:
            one.communicate()

    def _answers(self) -> list[dict[str, Any]]:
        answers = []
        for one in self.workers:
            assert one.stdout is not None
            line = one.stdout.readline()
            answers.append(json.loads(line) if line else {"error": "a worker ended early"})
        if errors := [answer["error"] for answer in answers if "error" in answer]:
            self.close()
            sys.exit(f"the psa_tui of {self.folder} cannot be measured by this benchmark: {errors[0]}")
        return answers


def divide(members: Sequence[Member], processes: int) -> list[list[Member]]:
    """Divide ``members`` into at most ``processes`` parts by seed, or by member where there are fewer seeds."""
    seeds = list(dict.fromkeys(seed for seed, _ in members))
    if len(seeds) >= processes:
        parts = [[member for member in members if seeds.index(member[0]) % processes == i] for i in range(processes)]
    else:
        parts = [list(members[i::processes]) for i in range(processes)]
    return [part for part in parts if part]
