"""Whether flushing denormals changes a verdict: the published variants with and without it, by PyTorch.

    PSA_DATASET_DIR=... OMP_NUM_THREADS=1 python -m benchmarks.denormals [--loops 10] [SHAPE ...]

A line for each shape: verdicts, and those that differ; numbers of correct images, and those that differ; seconds.
"""

from __future__ import annotations

import argparse
import time

import torch

from benchmarks.engine import data_folder
from benchmarks.population import HYPERPARAMETERS, SPEC, mlp
from psa_tui.data import load_dataset
from psa_tui.engine.backend import BACKENDS
from psa_tui.engine.images import Images, load_images
from psa_tui.engine.meta_loop import Population, Trial, run_meta_loops
from psa_tui.engine.population import initial_population_row, stack
from psa_tui.method.events import MetaLoopFinished
from psa_tui.method.progress import Progress
from psa_tui.method.variants import PUBLISHED
from psa_tui.networks.mlp import Mlp

SHAPES = ("4*4", "8*8", "18*18", "64*1", "1*64", "32*32")


def outcomes(network: Mlp, train: Images, validation: Images, loops: int) -> tuple[list[tuple[str, int]], float]:
    """Return the verdict and the number of correct images of each meta-loop and variant, and the seconds of all."""
    trials = [Trial(0, variant, Progress(validation_count=len(validation))) for variant in PUBLISHED]
    weights = stack([initial_population_row(network, 0)] * len(trials), torch.device("cpu"))
    population = Population(network, trials, weights, BACKENDS.find("torch"))
    started = time.perf_counter()
    events = run_meta_loops(population, train, validation, HYPERPARAMETERS, loops)
    found = [(str(one.verdict), one.validation_correct) for one in events if isinstance(one, MetaLoopFinished)]
    return found, time.perf_counter() - started


def main() -> None:
    """Measure and print a line for each shape."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loops", type=int, default=10)
    parser.add_argument("shapes", nargs="*", metavar="SHAPE", default=SHAPES)
    options = parser.parse_args()
    torch.set_num_threads(1)
    data = load_dataset(SPEC.name, data_folder())
    train, validation = (load_images(split, data.spec, torch.device("cpu")) for split in (data.train, data.validation))
    for shape in options.shapes:
        torch.set_flush_denormal(False)
        with_them, plain_s = outcomes(mlp(f"[{shape}]"), train, validation, options.loops)
        torch.set_flush_denormal(True)
        flushed, flushed_s = outcomes(mlp(f"[{shape}]"), train, validation, options.loops)
        verdicts = sum(one[0] != other[0] for one, other in zip(with_them, flushed, strict=True))
        counts = sum(one[1] != other[1] for one, other in zip(with_them, flushed, strict=True))
        print(
            f"{shape:<8}{len(flushed)} verdicts, {verdicts} differ; {counts} counts differ; "
            f"{plain_s:.1f} s with denormals, {flushed_s:.1f} s flushed",
            flush=True,
        )


if __name__ == "__main__":
    main()
