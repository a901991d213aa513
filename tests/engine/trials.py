"""Populations to train in tests, and what they train on."""

from pathlib import Path

import numpy as np
import torch

from psa_tui.data import load_dataset
from psa_tui.engine.backend import BACKENDS, NOT_COUNTED, Epoch
from psa_tui.engine.epoch import Trial
from psa_tui.engine.images import Images, load_images
from psa_tui.engine.meta_loop import Population
from psa_tui.engine.population import initial_population_row, stack
from psa_tui.method.ablation import Candidate
from psa_tui.method.events import MetaLoopFinished
from psa_tui.method.hyperparameters import Hyperparameters
from psa_tui.method.progress import Progress
from psa_tui.method.randomness import DropoutMaskDraws, Purpose, generator, shuffled
from psa_tui.method.variants import PUBLISHED
from psa_tui.networks import NETWORKS

INPUT_SHAPE = (1, 28, 28)
HYPERPARAMETERS = Hyperparameters(learning_rate=1e-3, batch_size=64, weight_decay=0.1, dropout=0.25)
CPU = torch.device("cpu")


def mlp(text, input_shape=INPUT_SHAPE, classes=10):
    return NETWORKS.find("mlp").parse(text, input_shape, classes)


MIXED = mlp("[2*6, 1*5]")


def population(network, *members, count=200, backend="torch", dtype=torch.float32):
    """Trials of ``members``, (seed, variant) each, before their first meta-loop."""
    trials = [
        Trial(seed, variant, Progress(validation_count=len(range(count)[variant.reported])))
        for seed, variant in members
    ]
    lkg = stack([initial_population_row(network, trial.seed) for trial in trials], CPU)
    return Population(network, trials, lkg.to(dtype), BACKENDS.find(backend))


def resumed_copy(population):
    """A population with the same trials and weights, and nothing else of it."""
    trials = [Trial(trial.seed, trial.variant, trial.progress) for trial in population.trials]
    return Population(population.network, trials, population.lkg.clone(), population.backend)


def finished(events):
    return [event for event in events if isinstance(event, MetaLoopFinished)]


def end_of(steps):
    """Exhaust a generator; what it returns."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def damage(row, network, variant, draws):
    """Ablate ``row`` in place by what a variant says, one that asks for nothing of its trial."""
    return variant.ablation.ablate(Candidate(row, None, None), network, draws)


SIX_VARIANTS = [(seed, variant) for seed in (1, 2) for variant in PUBLISHED]


def prepare(network, members, count, dtype=torch.float32, hyperparameters=HYPERPARAMETERS):
    """The weights after the ablations of loop 2, and a function that makes that loop's epoch afresh."""
    weights = stack([initial_population_row(network, seed) for seed, _ in members], CPU).to(dtype)
    for row, (seed, variant) in zip(weights, members, strict=True):
        if variant.ablates:
            damage(row, network, variant, generator(seed, 2, Purpose.ABLATION))
    seeds = sorted({seed for seed, _ in members})

    def epoch():
        return Epoch(
            orders=torch.from_numpy(np.stack([shuffled(seed, 2, count) for seed in seeds])),
            order_of=tuple(seeds.index(seed) for seed, _ in members),
            hyperparameters=hyperparameters,
            weight_decay=tuple(hyperparameters.weight_decay if v.weight_decay else 0.0 for _, v in members),
            dropout=tuple(DropoutMaskDraws(s, 2, hyperparameters.dropout) if v.dropout else None for s, v in members),
            labels=(None,) * len(members),
            moments=None,
            steps=(0,) * len(members),
            correct=torch.full((len(members),), NOT_COUNTED),
        )

    return weights, epoch


def ten_steps(images):
    """The images of ten steps, the last one of which is not a whole batch."""
    chosen = torch.arange(10 * HYPERPARAMETERS.batch_size - 20) % len(images)
    return Images(images.pixels[chosen], images.labels[chosen], images.mean, images.std, images.input_shape)


def real_images(name, folder=""):
    data = load_dataset(name, Path(folder))
    return [load_images(split, data.spec, CPU) for split in (data.train, data.validation)]
