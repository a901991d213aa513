"""A process that trains some trials, a meta-loop at a time, by whatever version of psa_tui it finds.

    PYTHONPATH=FOLDER python -P benchmarks/worker.py

The first line it reads says what to train (``Order``). It answers with a line when the first meta-loop is done, and
for each further line it runs one more and answers again. It imports nothing else of ``benchmarks``, and
``psa_tui`` late: what a version lacks becomes the answer.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any, TypedDict

HYPERPARAMETERS: dict[str, Any] = {"learning_rate": 1e-4, "batch_size": 256, "weight_decay": 1e-4, "dropout": 0.1}
_ENDLESS = 1 << 40


class Order(TypedDict):
    """What a worker trains."""

    dataset: str
    dataset_dir: str
    network: str
    shape: str
    backend: str
    members: list[tuple[int, str]]
    """Seed and name of the variant of each trial."""
    threads: int | None
    """None for as many as the program would take for one run."""


def train(order: Order) -> Generator[dict[str, Any], None, None]:
    """Run one meta-loop of all members each time; yield what trains them."""
    import torch

    import psa_tui
    from psa_tui.data import DATASETS, load_dataset
    from psa_tui.engine.backend import choose_backend
    from psa_tui.engine.images import load_images
    from psa_tui.engine.meta_loop import Population, Trial, run_meta_loops
    from psa_tui.engine.parallelism import threads_for
    from psa_tui.engine.population import initial_population_row, stack
    from psa_tui.machine.devices import set_threads
    from psa_tui.method.events import MetaLoopFinished
    from psa_tui.method.hyperparameters import Hyperparameters
    from psa_tui.method.progress import Progress
    from psa_tui.method.variants import find_variant
    from psa_tui.networks import NETWORKS

    spec, device = DATASETS.find(order["dataset"]), torch.device("cpu")
    hyperparameters = Hyperparameters(**HYPERPARAMETERS)
    network = NETWORKS.find(order["network"]).parse(order["shape"], spec.input_shape, spec.classes)
    backend = choose_backend(order["backend"], network, "cpu")
    threads = order["threads"] or threads_for(network, backend, hyperparameters.batch_size, "cpu", None)
    try:
        set_threads(threads, backend)
    except TypeError:
        # Of an earlier version: all backends have PyTorch's threads.
        set_threads(threads)
    data = load_dataset(spec.name, Path(order["dataset_dir"]))
    train, validation = (load_images(split, spec, device) for split in (data.train, data.validation))
    members = [(seed, find_variant(name)) for seed, name in order["members"]]
    trials = [Trial(seed, variant, Progress(validation_count=len(validation))) for seed, variant in members]
    weights = stack([initial_population_row(network, seed) for seed, _ in members], device)
    population = Population(network, trials, weights, backend)
    about = {
        "folder": str(Path(psa_tui.__file__).parents[1]),
        "version": psa_tui.__version__,
        "backend": backend.name,
        "threads": threads,
        "pixels": round(int(train.pixels.count_nonzero()) / len(train)),
    }
    for event in run_meta_loops(population, train, validation, hyperparameters, _ENDLESS):
        if isinstance(event, MetaLoopFinished) and event.member == len(trials) - 1:
            # The first loop is no measure: all modes begin with the same weights, and most train once.
            yield about


def main() -> None:
    """Answer each line that comes."""
    # What libraries print must not come between the answers.
    answers, sys.stdout = sys.stdout, sys.stderr
    loops = train(json.loads(sys.stdin.readline()))
    answer: dict[str, Any] = {}
    while "error" not in answer:
        try:
            answer = next(loops)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)
        if not sys.stdin.readline():
            return


if __name__ == "__main__":
    main()
