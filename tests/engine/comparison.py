"""The engine's meta-loops beside the sixty-line example, and beside the oracle and its twins."""

from functools import cache

import torch

from examples import psa_in_60_lines
from psa_tui.engine.epoch import Trial, epoch_of
from psa_tui.engine.meta_loop import run_meta_loops
from psa_tui.engine.population import initial_population_row, named_weights
from psa_tui.method.events import Verdict
from psa_tui.method.hyperparameters import Hyperparameters
from psa_tui.method.progress import Progress
from psa_tui.method.randomness import Purpose, generator
from psa_tui.method.variants import PUBLISHED
from tests.engine import oracle
from tests.engine.trials import HYPERPARAMETERS, damage, end_of, finished, population
from tests.engine.twins import TWINS, Twin, assert_counts_near, assert_near

PUBLISHED_RATES = Hyperparameters(learning_rate=1e-3, batch_size=64, weight_decay=1e-4, dropout=0.1)


def assert_every_variant_is_the_example(network, loops, train, validation, backend="torch"):
    """In float64 the engine and the sixty-line example ablate, count, promote and end alike, to the last digits."""
    for variant in PUBLISHED:
        trained = population(network, (11, variant), backend=backend, dtype=torch.float64)
        events = finished(run_meta_loops(trained, train, validation, PUBLISHED_RATES, loops))
        expected = example_run(network, variant, loops, train, validation)
        found = [
            (
                event.meta_loop,
                event.ablation and (event.ablation.units[0].layer, event.ablation.units[0].unit),
                event.validation_correct,
                event.verdict is Verdict.PROMOTED,
            )
            for event in events
        ]
        assert found == [loop[:4] for loop in expected]
        lkg = expected[-1][4].state_dict()
        for name, array in named_weights(network, trained.lkg).items():
            torch.testing.assert_close(torch.from_numpy(array), lkg[name], rtol=0, atol=1e-12)


@cache
def example_run(network, variant, loops, train, validation):
    """The meta-loops of the sixty-line example, computed once for all backends."""
    splits = [(oracle.inputs(split, split.pixels, torch.float64), split.labels) for split in (train, validation)]
    widths = [group.width for group in network.groups for _ in range(group.count)]
    return list(psa_in_60_lines.psa(*splits, widths, variant.name, 11, loops, lr=1e-3, batch=64))


@cache
def oracle_run(network, variant, loops, train, validation, verdicts, twin_number=None):
    """The meta-loops of the oracle in float32, or of one of its twins, computed once for all backends.

    ``verdicts`` are those of the run it is compared with: an image more or less must not lead another way.

    Returns:
        The weights, and the count and the loss of every loop.
    """
    twin = None if twin_number is None else Twin(twin_number, network)
    trial = Trial(11, variant, Progress(validation_count=len(validation)))
    lkg = torch.from_numpy(initial_population_row(network, 11))[None]
    counts, losses = [], []
    for loop, verdict in enumerate(verdicts, 1):
        candidate = lkg.clone()
        if loop > 1 and variant.ablates:
            damage(candidate[0], network, variant, generator(11, loop, Purpose.ABLATION))
        epoch = epoch_of([trial], [variant], HYPERPARAMETERS, loop, train, candidate, None)
        if twin is None:
            losses.append(end_of(oracle.train_epoch(candidate, network, train, epoch)))
            counts.append(oracle.count_correct(candidate, network, validation))
        else:
            candidate, loss = twin.train(candidate, train, epoch)
            losses.append(loss)
            counts.append(twin.count_correct(candidate, validation))
        if verdict is Verdict.PROMOTED:
            lkg = candidate
    return lkg[0], torch.cat(counts), torch.cat(losses)


def assert_every_variant_strays_as_rounding_leads(network, loops, train, validation, backend="torch"):
    """In float32 the engine ends as near the oracle as its twins do."""
    runs = []
    for variant in PUBLISHED:
        trained = population(network, (11, variant), backend=backend)
        events = finished(run_meta_loops(trained, train, validation, HYPERPARAMETERS, loops))
        counts, losses = ([getattr(e, name) for e in events] for name in ("validation_correct", "train_loss"))
        compared = network, variant, loops, train, validation, tuple(event.verdict for event in events)
        twins = [oracle_run(*compared, number) for number in range(TWINS)]
        found = trained.lkg[0], torch.tensor(counts), torch.tensor(losses)
        runs.append((found, oracle_run(*compared), twins))
    for which, assert_alike in enumerate((assert_near, assert_counts_near, assert_near)):
        # What may happen to one variant is what happens to the twins of all: those of one are few.
        found, expected = (torch.stack([run[side][which] for run in runs]) for side in (0, 1))
        twins = torch.stack([torch.stack([twin[which] for twin in run[2]]) for run in runs], 1)
        assert_alike(found, expected, twins)
