"""How fast a meta-loop is going to be here: real training steps and matrix products, timed for seconds."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

import torch

from psa_tui.engine.backends.torch.training import Images, count_correct
from psa_tui.engine.meta_loop import Population, Recipe, Trial, run_meta_loops
from psa_tui.engine.population import initial_weights, layout, stack
from psa_tui.method.events import EpochProgressed, MetaLoopFinished, Progress
from psa_tui.method.variants import AblationMode
from psa_tui.networks.mlp import CLASSES, INPUTS, Architecture

TRAINING_IMAGES = 50_000
VALIDATION_IMAGES = 10_000
_MEASURE_S = 0.4
_TRAIN_S = 1.0
_EVALUATED = 2000
_ENDLESS = 1 << 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """What was measured on one device for one shape, and what a meta-loop is predicted to take there."""

    architecture: str
    parameters: int
    operations: int
    """Those of a meta-loop: what its matrix products cannot do without."""
    batch_size: int
    matrix_product_flop_per_s: float
    """Best float32 rate of a square matrix product."""
    training_images_per_s: float
    evaluation_images_per_s: float

    @property
    def meta_loop_s(self) -> float:
        """Seconds of one meta-loop: 50,000 images trained on, 10,000 evaluated, at the measured rates."""
        return TRAINING_IMAGES / self.training_images_per_s + VALIDATION_IMAGES / self.evaluation_images_per_s

    @property
    def floor_s(self) -> float:
        """Its operations at the matrix-product rate."""
        return self.operations / self.matrix_product_flop_per_s


def measure(architecture: Architecture, batch_size: int, device: str, processes: int) -> Benchmark:
    """Time matrix products and real meta-loops of one trial on random images; a few seconds."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (TRAINING_IMAGES, INPUTS), dtype=torch.uint8, generator=generator).to(device)
    labels = torch.randint(CLASSES, (TRAINING_IMAGES,), generator=generator).to(device)
    images = Images(pixels, labels, mean=0.5, std=0.3)
    layers = layout(architecture)
    flat = stack([initial_weights(layers, seed=0)], torch.device(device))
    few = images[:_EVALUATED]
    evaluations = _durations(lambda: count_correct(flat, layers, few).tolist(), _MEASURE_S)
    return Benchmark(
        architecture=str(architecture),
        parameters=architecture.parameters,
        operations=architecture.meta_loop_operations(TRAINING_IMAGES, VALIDATION_IMAGES),
        batch_size=batch_size,
        matrix_product_flop_per_s=_matrix_product_rate(device, processes),
        training_images_per_s=_training_rate(Population(layers, [_trial()], flat), images, batch_size, processes),
        # Each process counts for its own share of the images.
        evaluation_images_per_s=processes * _EVALUATED * len(evaluations) / sum(evaluations),
    )


def _matrix_product_rate(device: str, processes: int) -> float:
    """Best float32 operations per second over a small and a large size, in ``_MEASURE_S`` seconds each.

    It is measured in this process, and taken as many times as there are ``processes``.
    """
    best = 0.0
    for size in (512, 1024) if device == "cpu" else (1024, 4096):
        left, right = (torch.randn(size, size, device=device) for _ in range(2))

        def multiply(left: torch.Tensor = left, right: torch.Tensor = right) -> None:
            # Reading one element waits for the device.
            (left @ right)[0, 0].item()

        best = max(best, 2 * size**3 / min(_durations(multiply, _MEASURE_S)))
    return processes * best


def _trial() -> Trial:
    return Trial(seed=0, mode=AblationMode.NONE, progress=Progress(validation_count=1))


def _training_rate(population: Population, images: Images, batch_size: int, processes: int) -> float:
    """Images trained on per second, from the first step on: it also allocates and chooses kernels."""
    recipe = Recipe(learning_rate=1e-4, batch_size=batch_size, weight_decay=0.0, dropout=0.0)
    done = first = 0
    started = None
    with closing(run_meta_loops(population, images, images[:1], recipe, _ENDLESS, processes)) as events:
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
    """Seconds of each call of ``work``, called once unmeasured and then until ``budget_s`` is spent."""
    work()
    durations: list[float] = []
    while sum(durations) < budget_s:
        started = time.perf_counter()
        work()
        durations.append(time.perf_counter() - started)
    return durations
