"""Convolutions with batch normalisation, loop by loop: as PyTorch's own modules, and alone as among others."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from psa_tui.engine.backend import BACKENDS
from psa_tui.engine.images import Images
from psa_tui.engine.meta_loop import run_meta_loops
from psa_tui.engine.population import named_weights
from psa_tui.method.events import Verdict
from psa_tui.method.hyperparameters import Hyperparameters
from psa_tui.method.variants import HIDDEN, PUBLISHED
from psa_tui.networks import NETWORKS
from tests.engine import plain_convnet
from tests.engine.trials import HYPERPARAMETERS, SIX_VARIANTS, end_of, finished, population, prepare, real_images
from tests.engine.twins import TWINS, assert_near

pytestmark = pytest.mark.slow

NETWORK = NETWORKS.find("convnet").parse("[4, 2*3]", (1, 10, 10), 10)
MODULE = BACKENDS.find("module")
SEED, LOOPS = 2, 5
RATES = replace(HYPERPARAMETERS, learning_rate=1e-2)


@pytest.fixture(scope="module")
def splits():
    """Every third pixel of 300 digits to train on, and of 200 to validate with."""
    found = []
    for some, count in zip(real_images("mnist5k"), (300, 200), strict=False):
        pixels = some.pixels[:count].view(count, 28, 28)[:, ::3, ::3].reshape(count, 100).contiguous()
        found.append(Images(pixels, some.labels[:count], some.mean, some.std, (1, 10, 10)))
    return found


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def _flat(state):
    return torch.cat([state[tensor.name].flatten() for tensor in NETWORK.tensors])


@pytest.mark.parametrize("variant", PUBLISHED, ids=str)
def test_every_loop_is_that_of_a_plain_script_with_pytorchs_modules(variant, splits):
    trained = population(NETWORK, (SEED, variant), count=200, backend="module", dtype=torch.float64)
    loops = [
        (
            event.meta_loop,
            event.ablation and [(unit.layer, unit.unit) for unit in event.ablation.units],
            event.validation_correct,
            event.verdict is Verdict.PROMOTED,
        )
        for event in finished(run_meta_loops(trained, *splits, RATES, LOOPS))
    ]
    rates = (RATES.learning_rate, RATES.batch_size, RATES.dropout)
    parts = [
        (((part.pixels.double() / 255 - part.mean[0]) / part.std[0]).view(-1, 1, 10, 10), part.labels)
        for part in splits
    ]
    settings = NETWORK, *parts, variant, SEED, LOOPS, *rates, RATES.weight_decay
    plain, *twins = (
        list(plain_convnet.psa(*settings, twin=twin)) for twin in (None, *map(np.random.default_rng, range(TWINS)))
    )
    for one in (plain, *twins):
        assert [(loop, hit and [hit], correct, promoted) for loop, hit, correct, promoted, _ in one] == loops
    expected, *others = (_flat(one[-1][4].state_dict()) for one in (plain, *twins))
    found = torch.cat([torch.from_numpy(array).flatten() for array in named_weights(NETWORK, trained.lkg).values()])
    # AdamW divides by the root of tiny moments: how far that carries rounding, the twins show.
    assert_near(found, expected, torch.stack(others))
    assert sum(promoted for *_, promoted in loops) > 1


def test_a_trial_ends_with_the_same_bits_alone_and_among_others(splits):
    train, validation = splits
    together, epoch = prepare(NETWORK, SIX_VARIANTS, len(train))
    losses = end_of(MODULE.train_epoch(together, NETWORK, train, epoch()))
    counts = MODULE.count_correct(together, NETWORK, validation)
    for index, member in enumerate(SIX_VARIANTS):
        alone, own_epoch = prepare(NETWORK, [member], len(train))
        loss = end_of(MODULE.train_epoch(alone, NETWORK, train, own_epoch()))
        assert torch.equal(alone[0], together[index])
        assert torch.equal(loss[0], losses[index])
        assert MODULE.count_correct(alone, NETWORK, validation)[0] == counts[index]


def test_a_channel_that_was_zeroed_in_a_promoted_candidate_stays_dead_and_its_loops_say_so(splits):
    trained = population(NETWORK, (SEED, HIDDEN), count=200, backend="module")
    events = finished(run_meta_loops(trained, *splits, RATES, 12))
    kept = {
        (unit.layer, unit.unit)
        for event in events
        if event.ablation and event.verdict is Verdict.PROMOTED
        for unit in event.ablation.units
    }
    assert kept
    assert set(trained.dead_units(0)) == kept, "no other way to die"
    assert trained.trials[0].progress.lkg_inactive >= len(kept)


@pytest.mark.parametrize(("count", "batch_size"), [(1, 64), (65, 64), (5, 1)])
def test_any_number_of_images_and_any_batch_size_will_do(count, batch_size, splits):
    small = NETWORKS.find("convnet").parse("3,3,3,3", (1, 10, 10), 10)
    rates = Hyperparameters(learning_rate=1e-3, batch_size=batch_size)
    weights, epoch = prepare(small, SIX_VARIANTS[:2], count, hyperparameters=rates)
    losses = end_of(MODULE.train_epoch(weights, small, splits[0][:count], epoch()))
    assert torch.isfinite(losses).all()
    assert torch.isfinite(weights).all()
