"""How many training images each member classified correctly in its epoch: of every backend, beside the oracle."""

from dataclasses import replace

import pytest
import torch

from psa_tui.engine.backend import BACKENDS
from psa_tui.engine.epoch import epoch_of
from psa_tui.engine.meta_loop import run_meta_loops
from psa_tui.engine.population import initial_population_row, stack
from psa_tui.method.hyperparameters import Hyperparameters
from tests.engine import oracle
from tests.engine.trials import (
    HYPERPARAMETERS,
    MIXED,
    SIX_VARIANTS,
    end_of,
    finished,
    mlp,
    population,
    prepare,
)

pytestmark = pytest.mark.slow

RATES = {"learning_rate": 1e-2, "weight_decay": 0.1, "dropout": 0.25}
DTYPES = [torch.float32, torch.float64]


@pytest.fixture(params=["torch", "module", "numba"])
def backend(request):
    return BACKENDS.find(request.param)


def counted(trains, weights, network, images, epoch):
    """What ``trains`` counts in an epoch of ``weights``, which stay as they are."""
    end_of(trains(weights.clone(), network, images, epoch))
    return epoch.correct


class TestTrainingAccuracy:
    @pytest.mark.parametrize("network", [MIXED, mlp("[1*3]"), mlp("[1*72]")], ids=str)
    @pytest.mark.parametrize("dtype", [torch.float64])
    @pytest.mark.parametrize(("count", "batch_size"), [(300, 64), (65, 64), (1, 64), (7, 1), (300, 1000)])
    def test_six_variants_count_what_the_oracle_counts_in_float64(
        self, backend, network, dtype, count, batch_size, train_images
    ):
        images = train_images[:count]
        rates = Hyperparameters(batch_size=batch_size, **RATES)
        weights, epoch = prepare(network, SIX_VARIANTS, count, dtype, rates)
        expected = counted(oracle.train_epoch, weights, network, images, epoch())
        assert torch.equal(counted(backend.train_epoch, weights, network, images, epoch()), expected)
        # Each alone as well: which of them are batched together changes nothing.
        for member in (1, 5):
            one = epoch().of([member])
            assert counted(backend.train_epoch, weights[[member]], network, images, one) == expected[member]

    @pytest.mark.parametrize(("threads", "count"), [(2, 300), (3, 65), (3, 1)])
    def test_threads_of_numba_add_up_what_each_of_them_counts(self, threads, count, train_images):
        BACKENDS.find("numba").use_threads(threads)
        images = train_images[:count]
        weights, epoch = prepare(MIXED, SIX_VARIANTS, count, torch.float64)
        expected = counted(oracle.train_epoch, weights, MIXED, images, epoch())
        found = counted(BACKENDS.find("numba").train_epoch, weights, MIXED, images, epoch())
        assert torch.equal(found, expected)

    def test_a_step_in_float32_counts_what_float64_does_of_the_same_weights(self, backend, train_images):
        weights, epoch = prepare(MIXED, SIX_VARIANTS, len(train_images), torch.float32, Hyperparameters(batch_size=300))
        expected = counted(oracle.train_epoch, weights.double(), MIXED, train_images, epoch())
        found = counted(backend.train_epoch, weights, MIXED, train_images, epoch())
        assert (found - expected).abs().max() <= 1
        assert expected.min() > 0

    def test_answers_are_judged_by_the_labels_that_are_trained_with(self, backend, train_images):
        weights, epoch = prepare(MIXED, SIX_VARIANTS[:2], len(train_images), torch.float64)
        shuffled = train_images.labels.roll(1)
        expected = counted(
            oracle.train_epoch, weights[:1], MIXED, replace(train_images, labels=shuffled, prepared={}), epoch().of([0])
        )
        with_own = replace(epoch(), labels=(shuffled, None))
        assert counted(backend.train_epoch, weights, MIXED, train_images, with_own)[0] == expected[0]

    @pytest.mark.parametrize("dtype", DTYPES)
    def test_no_answer_is_wrong_whose_logit_is_not_exceeded(self, backend, dtype, train_images):
        weights, epoch = prepare(MIXED, SIX_VARIANTS[:2], 64, dtype)
        head = MIXED.layers[-1]
        head.weight(weights).zero_()
        head.bias(weights).zero_()
        head.bias(weights)[1, 3] = -1
        images = train_images[:64]
        counts = counted(backend.train_epoch, weights, MIXED, images, epoch())
        assert counts.tolist() == [64, int((images.labels != 3).sum())]

    @pytest.mark.parametrize("dtype", DTYPES)
    @pytest.mark.parametrize("layer", [0, -1])
    @pytest.mark.parametrize("unit", [0, 4])
    def test_an_answer_is_wrong_where_any_logit_is_not_a_number(self, backend, layer, unit, dtype, train_images):
        weights, epoch = prepare(MIXED, SIX_VARIANTS, len(train_images), dtype)
        expected = counted(backend.train_epoch, weights, MIXED, train_images, epoch())
        MIXED.layers[layer].bias(weights)[3, unit] = float("nan")
        expected[3] = 0
        assert torch.equal(counted(backend.train_epoch, weights, MIXED, train_images, epoch()), expected)

    def test_an_epoch_that_is_closed_in_the_middle_has_no_count(self, backend, train_images):
        weights, epoch = prepare(MIXED, SIX_VARIANTS, len(train_images))
        one = epoch()
        steps = backend.train_epoch(weights, MIXED, train_images, one)
        next(steps)
        steps.close()
        assert (one.correct < 0).all()

    def test_nobody_who_does_not_want_a_count_gets_one(self, backend, train_images):
        weights, epoch = prepare(MIXED, SIX_VARIANTS[:2], 64)
        expected = weights.clone()
        end_of(backend.train_epoch(weights, MIXED, train_images[:64], replace(epoch(), correct=None)))
        end_of(backend.train_epoch(expected, MIXED, train_images[:64], epoch()))
        assert torch.equal(weights, expected)


def test_a_meta_loop_tells_the_accuracy_of_each_members_epoch(backend, train_images, validation_images):
    # In the first loop all variants but dropout train the same weights once.
    members = [(1, variant) for _, variant in SIX_VARIANTS[:6]]
    trained = population(MIXED, *members, backend=backend.name, dtype=torch.float64)
    events = finished(run_meta_loops(trained, train_images, validation_images, HYPERPARAMETERS, 1))
    weights = stack([initial_population_row(MIXED, 1)] * 6, torch.device("cpu")).double()
    variants = [variant for _, variant in members]
    epoch = epoch_of(trained.trials, variants, HYPERPARAMETERS, 1, train_images, weights, None)
    expected = counted(oracle.train_epoch, weights, MIXED, train_images, epoch)
    assert [event.train_accuracy for event in events] == [n / len(train_images) for n in expected.tolist()]


def test_a_backend_that_does_not_count_leaves_the_accuracy_unknown(train_images, validation_images):
    trained = population(MIXED, (1, SIX_VARIANTS[0][1]))
    torch_backend = trained.backend

    class Plain:
        every_variant = True
        count_correct = staticmethod(torch_backend.count_correct)

        def train_epoch(self, weights, network, images, epoch):
            return torch_backend.train_epoch(weights, network, images, replace(epoch, correct=None))

    trained.backend = Plain()
    (event,) = finished(run_meta_loops(trained, train_images, validation_images, HYPERPARAMETERS, 1))
    assert event.train_accuracy is None
