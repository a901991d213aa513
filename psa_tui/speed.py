"""How fast a meta-loop is going to be here: real training steps and matrix products, timed for seconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from psa_tui.architecture import CLASSES, INPUTS, Architecture
from psa_tui.engine.epoch import Epoch, Images, count_correct, train_epoch
from psa_tui.engine.model import initial_weights, layout, stack
from psa_tui.engine.randomness import shuffled

TRAINING_IMAGES = 50_000
VALIDATION_IMAGES = 10_000
_MEASURE_S = 0.4
_TRAIN_S = 1.0
_EVALUATED = 2000


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


def measure(architecture: Architecture, batch_size: int, device: str) -> Benchmark:
    """Time matrix products and real training steps of one trial on random images; a few seconds."""
    training, evaluation = _engine_rates(architecture, batch_size, device)
    return Benchmark(
        architecture=str(architecture),
        parameters=architecture.parameters,
        operations=architecture.meta_loop_operations(TRAINING_IMAGES, VALIDATION_IMAGES),
        batch_size=batch_size,
        matrix_product_flop_per_s=_matrix_product_rate(device),
        training_images_per_s=training,
        evaluation_images_per_s=evaluation,
    )


def _matrix_product_rate(device: str) -> float:
    """Best float32 operations per second over a small and a large size, in ``_MEASURE_S`` seconds each."""
    best = 0.0
    for size in (512, 1024) if device == "cpu" else (1024, 4096):
        left, right = (torch.randn(size, size, device=device) for _ in range(2))

        def multiply(left: torch.Tensor = left, right: torch.Tensor = right) -> None:
            # Reading one element waits for the device.
            (left @ right)[0, 0].item()

        best = max(best, 2 * size**3 / min(_durations(multiply, _MEASURE_S)))
    return best


def _engine_rates(architecture: Architecture, batch_size: int, device: str) -> tuple[float, float]:
    """Images trained on, and images evaluated, per second."""
    layers = layout(architecture)
    flat = stack([initial_weights(layers, seed=0)], torch.device(device))
    pixels = torch.randint(256, (TRAINING_IMAGES, INPUTS), dtype=torch.uint8, device=device)
    labels = torch.randint(CLASSES, (TRAINING_IMAGES,), device=device)
    epoch = Epoch(
        orders=torch.from_numpy(shuffled(0, 1, TRAINING_IMAGES)).to(device).unsqueeze(0),
        order_of=(0,),
        learning_rate=1e-4,
        batch_size=batch_size,
        weight_decay=(0.0,),
        dropout=(None,),
    )
    images = Images(pixels, labels, mean=0.5, std=0.3)

    def steps() -> Iterator[tuple[int, torch.Tensor]]:
        """Training steps, epoch after epoch: the images of each, and a tensor to wait for."""
        while True:
            before = 0
            for seen, losses in train_epoch(flat, layers, images, epoch):
                yield seen - before, losses
                before = seen

    training = steps()
    # The first step also allocates and chooses kernels; reading the losses waits for the device.
    next(training)[1].tolist()
    trained = 0
    started = time.perf_counter()
    while time.perf_counter() - started < _TRAIN_S:
        count, losses = next(training)
        trained += count
    losses.tolist()
    training_rate = trained / (time.perf_counter() - started)

    few = Images(pixels[:_EVALUATED], labels[:_EVALUATED], images.mean, images.std)
    evaluations = _durations(lambda: count_correct(flat, layers, few).tolist(), _MEASURE_S)
    return training_rate, _EVALUATED * len(evaluations) / sum(evaluations)


def _durations(work: Callable[[], object], budget_s: float) -> list[float]:
    """Seconds of each call of ``work``, called once unmeasured and then until ``budget_s`` is spent."""
    work()
    durations: list[float] = []
    while sum(durations) < budget_s:
        started = time.perf_counter()
        work()
        durations.append(time.perf_counter() - started)
    return durations
