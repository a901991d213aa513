"""Backends beside one another: processor time of an epoch of MNIST and of its evaluation, in one process, in turns.

    PSA_DATASET_DIR=... OMP_NUM_THREADS=1 python -m benchmarks.backends [--members 1] [--repeats 5] [--noise] SHAPE ...

One thread each; milliseconds a trial, medians. On a busy machine processor time says more than time on the wall, though
not the truth: others take the caches. Members are five to a seed, and follow one order of images each five. With
--noise images have no black pixel, so that there is nothing to leave out: what leaving out costs where it is no use.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import replace

import torch

from benchmarks import machine
from benchmarks.engine import data_folder
from benchmarks.population import HYPERPARAMETERS, SPEC, mlp
from psa_tui.data import load_dataset
from psa_tui.engine.backend import BACKENDS, Backend
from psa_tui.engine.epoch import Trial, epoch_of
from psa_tui.engine.images import Images, load_images
from psa_tui.engine.population import initial_population_row, stack
from psa_tui.method.progress import Progress
from psa_tui.method.variants import NONE
from psa_tui.networks.mlp import Mlp

NAMES = ("torch", "numba")


def meta_loop_s(backend: Backend, network: Mlp, members: int, train: Images, validation: Images) -> float:
    """Return the processor seconds of an epoch of ``members`` and of counting their correct answers."""
    trials = [Trial(member // 5, NONE, Progress(validation_count=len(validation))) for member in range(members)]
    weights = stack([initial_population_row(network, member) for member in range(members)], torch.device("cpu"))
    epoch = epoch_of(trials, [NONE] * members, HYPERPARAMETERS, 1, train, weights, None)
    started = time.process_time()
    for _ in backend.train_epoch(weights, network, train, epoch):
        pass
    backend.count_correct(weights, network, validation)
    return time.process_time() - started


def noise(images: Images) -> Images:
    """Return as many images of random pixels, none of them black."""
    draws = torch.Generator().manual_seed(0)
    return replace(images, pixels=torch.randint(1, 256, images.pixels.shape, dtype=torch.uint8, generator=draws))


def main() -> None:
    """Measure and print a line for each shape."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--members", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--noise", action="store_true")
    parser.add_argument("shapes", nargs="+", metavar="SHAPE")
    options = parser.parse_args()
    torch.set_num_threads(1)
    data = load_dataset(SPEC.name, data_folder())
    train, validation = (load_images(split, data.spec, torch.device("cpu")) for split in (data.train, data.validation))
    if options.noise:
        train, validation = noise(train), noise(validation)
    images = "noise" if options.noise else SPEC.name
    print(f"{machine.describe()}\n{machine.load()}; {images}, {options.members} members, {options.repeats} repeats")
    print(f"{'shape':<12}" + "".join(f"{name + ' ms':>12}" for name in NAMES) + f"{'ratio':>8}")
    for shape in options.shapes:
        network = mlp(shape)
        measured: dict[str, list[float]] = {name: [] for name in NAMES}
        for repeat in range(options.repeats + 1):
            for name in NAMES[:: 1 if repeat % 2 else -1]:
                backend = BACKENDS.find(name)
                measured[name].append(meta_loop_s(backend, network, options.members, train, validation))
        # The first of each compiled kernels and prepared images.
        slow, fast = ([seconds / options.members * 1e3 for seconds in measured[name][1:]] for name in NAMES)
        ratio = statistics.median(one / other for one, other in zip(slow, fast, strict=True))
        print(
            f"{network!s:<12}{statistics.median(slow):>12.1f}{statistics.median(fast):>12.1f}{ratio:>8.1f}", flush=True
        )


if __name__ == "__main__":
    main()
