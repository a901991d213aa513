"""How fast a meta-loop is going to be here: real training steps and matrix products, timed for seconds."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass

import torch

from psa_tui.data.spec import DatasetSpec
from psa_tui.engine.backend import Backend
from psa_tui.engine.images import Images
from psa_tui.engine.meta_loop import Population, Trial, run_meta_loops
from psa_tui.engine.population import initial_population_row, stack
from psa_tui.method.events import EpochProgressed, MetaLoopFinished
from psa_tui.method.hyperparameters import Hyperparameters
from psa_tui.method.progress import Progress
from psa_tui.method.variants import NONE
from psa_tui.networks.base import Network

_MEASURE_S = 0.4
_TRAIN_S = 1.0
_EVALUATED = 2000
_ENDLESS = 1 << 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """What was measured on one device for one network, and what a meta-loop is predicted to take there."""

    architecture: str
    parameters: int
    operations: int
    """Those of a meta-loop: what its matrix products cannot do without."""
    batch_size: int
    matrix_product_flop_per_s: float
    """Best float32 rate of a square matrix product."""
    training_images_per_s: float
    evaluation_images_per_s: float
    train_count: int
    validation_count: int

    @property
    def meta_loop_s(self) -> float:
        """Seconds of one meta-loop: all training images trained on, all validation images evaluated, at these rates."""
        return self.train_count / self.training_images_per_s + self.validation_count / self.evaluation_images_per_s

    @property
    def floor_s(self) -> float:
        """Its operations at the matrix-product rate."""
        return self.operations / self.matrix_product_flop_per_s

    def as_json(self) -> dict[str, str | float]:
        """Return what was measured and what is predicted of it."""
        counts = ("train_count", "validation_count")
        measured = {name: value for name, value in asdict(self).items() if name not in counts}
        return {**measured, "meta_loop_s": self.meta_loop_s, "floor_s": self.floor_s}


def measure(network: Network, spec: DatasetSpec, backend: Backend, batch_size: int, device: str) -> Benchmark:
    """Time matrix products and real meta-loops of one trial on random images; a few seconds.

    Args:
        network: what is trained.
        spec: the data set whose shapes and split sizes are taken.
        backend: what trains it.
        batch_size: images a step.
        device: where, such as "cpu" and "cuda:0".
    """
    rates = training_and_evaluation_rates(network, _random_images(spec, device), backend, batch_size)
    return Benchmark(
        architecture=str(network),
        parameters=network.parameters,
        operations=network.meta_loop_operations(spec.train_count, spec.validation_count),
        batch_size=batch_size,
        matrix_product_flop_per_s=_matrix_product_rate(device),
        training_images_per_s=rates[0],
        evaluation_images_per_s=rates[1],
        train_count=spec.train_count,
        validation_count=spec.validation_count,
    )


def training_and_evaluation_rates(
    network: Network, images: Images, backend: Backend, batch_size: int
) -> tuple[float, float]:
    """Time real meta-loops of one trial on ``images``, then evaluations; return images per second of each."""
    device = images.pixels.device
    weights = stack([initial_population_row(network, seed=0)], device)
    few = images[:_EVALUATED]
    evaluations = _durations(lambda: backend.count_correct(weights, network, few).tolist(), _MEASURE_S)
    trial = Trial(seed=0, variant=NONE, progress=Progress(validation_count=1))
    population = Population(network, [trial], weights, backend)
    training_rate = _training_rate(population, images, Hyperparameters(batch_size=batch_size))
    return training_rate, len(few) * len(evaluations) / sum(evaluations)


def _random_images(spec: DatasetSpec, device: str) -> Images:
    """Return as many random images as there are to train on."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (spec.train_count, spec.inputs), dtype=torch.uint8, generator=generator)
    if spec.floats:
        pixels = pixels / 128 - 1
    labels = torch.randint(spec.classes, (spec.train_count,), generator=generator)
    return Images(pixels.to(device), labels.to(device), spec.mean, spec.std, spec.input_shape)


def _matrix_product_rate(device: str) -> float:
    """Return the best float32 operations per second over a small and a large size, in ``_MEASURE_S`` seconds each."""
    best = 0.0
    for size in (512, 1024) if device == "cpu" else (1024, 4096):
        left, right = (torch.randn(size, size, device=device) for _ in range(2))

        def multiply(left: torch.Tensor = left, right: torch.Tensor = right) -> None:
            # Reading one element waits for the device.
            (left @ right)[0, 0].item()

        best = max(best, 2 * size**3 / min(_durations(multiply, _MEASURE_S)))
    return best


def _training_rate(population: Population, images: Images, hyperparameters: Hyperparameters) -> float:
    """Return images trained on per second, from the first step on: it also allocates and chooses kernels."""
    done = first = 0
    started = None
    with closing(run_meta_loops(population, images, images[:1], hyperparameters, _ENDLESS)) as events:
        for event in events:
            if isinstance(event, MetaLoopFinished):
                done += len(images)
            seen = done + (event.images if isinstance(event, EpochProgressed) else 0)
            now = time.perf_counter()
            if started is None:
                started, first = now, seen
            elif now - started >= _TRAIN_S:
                break
    assert started is not None
    return (seen - first) / (now - started)


def _durations(work: Callable[[], object], budget_s: float) -> list[float]:
    """Return the seconds of each call of ``work``, called once unmeasured and then until ``budget_s`` is spent."""
    work()
    durations: list[float] = []
    while sum(durations) < budget_s:
        started = time.perf_counter()
        work()
        durations.append(time.perf_counter() - started)
    return durations
