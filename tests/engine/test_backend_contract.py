"""What every backend must do; each test runs over all of them, in both precisions where it computes.

``examples/psa_in_60_lines.py`` and the oracle say what is right: in float64 to the last digits, and in float32 as near
as rounding leads (see ``twins``).
"""

import os
from functools import cache, partial

import pytest
import torch

from examples import psa_in_60_lines
from psa_tui.engine.backend import BACKENDS
from psa_tui.engine.images import Images
from psa_tui.method.hyperparameters import Hyperparameters
from psa_tui.method.variants import DECAY, DROPOUT, NONE, PUBLISHED
from psa_tui.networks import NETWORKS as BY_NAME
from tests.engine import oracle
from tests.engine.trials import INPUT_SHAPE, SIX_VARIANTS, end_of, mlp, prepare, real_images, ten_steps
from tests.engine.twins import TWINS, Twin, assert_counts_near, assert_near, of_twins
from tests.networks import residual

NETWORKS = [mlp(text) for text in ("[2*6, 1*5]", "[1*16]", "[3*1]", "[2*8, 1*1, 1*3]", "[1*3, 1*40]", "[1*72]")]
MIXED = NETWORKS[0]
RESIDUAL = [
    BY_NAME.find(family).parse(text, INPUT_SHAPE, 10)
    for family, text in (("resmlp", "[2*6, 1*5]"), ("resmlp-published", "[3*8]"), ("resmlp", "[1*1, 1*72, 2*3]"))
]
WIDER = [NETWORKS[-1], *RESIDUAL]
EVERY = [*NETWORKS[:-1], *(pytest.param(network, marks=pytest.mark.slow) for network in WIDER)]
SCATTERED = [(seed, variant) for variant in (DROPOUT, DECAY, NONE) for seed in (3, 1, 1, 2)]
RATES = Hyperparameters(learning_rate=1e-3, batch_size=64, weight_decay=1e-4, dropout=0.1)
DTYPES = [torch.float32, torch.float64]


class RealEpochs:
    """The six variants on real digits: what the oracle makes of them epoch by epoch, and in float32 its twins."""

    @classmethod
    @cache
    def of(cls, text, name, epochs, dtype):
        """Computed once for all backends."""
        return cls(text, name, epochs, dtype)

    def __init__(self, text, name, epochs, dtype):
        self.network = mlp(text)
        train, self.validation = real_images(name, os.environ.get("PSA_DATASET_DIR", ""))
        self.train = train[:2000] if name == "mnist5k" else train[:12_000]
        batch_size = 64 if name == "mnist5k" else 256
        hyperparameters = Hyperparameters(learning_rate=1e-4, batch_size=batch_size, weight_decay=0.1, dropout=0.25)
        members = [(1, variant) for variant in PUBLISHED]
        self.weights, self.epoch = prepare(self.network, members, len(self.train), dtype, hyperparameters)
        twins = [Twin(number, self.network) for number in range(TWINS if dtype is torch.float32 else 0)]
        weights, strayed = self.weights.clone(), [self.weights.clone() for _ in twins]
        self.expected, self.counts, self.twins, self.counts_of_twins = [], [], [], []
        for _ in range(epochs):
            end_of(oracle.train_epoch(weights, self.network, self.train, self.epoch()))
            self.expected.append(weights.clone())
            self.counts.append(oracle.count_correct(weights, self.network, self.validation))
            if twins:
                pairs = list(zip(twins, strayed, strict=True))
                strayed = [twin.train(some, self.train, self.epoch())[0] for twin, some in pairs]
                pairs = list(zip(twins, strayed, strict=True))
                counts = [twin.count_correct(some, self.validation) for twin, some in pairs]
                self.twins.append(torch.stack(strayed))
                self.counts_of_twins.append(torch.stack(counts))


@cache
def after_ten_steps(network, everyone, dtype, train_images):
    """Ten steps' images, what the oracle makes of them, and in float32 its twins; computed once for all backends."""
    images = ten_steps(train_images)
    start, epoch = prepare(network, everyone, len(images), dtype)
    expected = start.clone()
    losses = end_of(oracle.train_epoch(expected, network, images, epoch()))
    twins = of_twins(network, start, images, epoch) if dtype is torch.float32 else ()
    return images, expected, losses, *twins


@cache
def after_an_epoch_of_the_example(network, variant, train_images, validation_images):
    """The sixty-line example's weights by name, and how many images it then knows; computed once for all backends."""
    if network.family == "mlp":
        network_of, ablate = psa_in_60_lines.network, psa_in_60_lines.ablate
    else:
        network_of, ablate = residual.network, partial(residual.ablate, network.family)
    hidden = [group.width for group in network.groups for _ in range(group.count)]
    model = network_of([784, *hidden, 10], 5).double()
    if variant.ablates:
        ablate(model, variant.name, 5, 2)
    seen, validated = [oracle.inputs(some, some.pixels, torch.float64) for some in (train_images, validation_images)]
    psa_in_60_lines.train_epoch(model, seen, train_images.labels, variant.name, 5, 2, 1e-3, 64)
    return model.state_dict(), psa_in_60_lines.count_correct(model, validated, validation_images.labels)


@pytest.fixture(params=["torch", "module", "numba"])
def backend(request):
    return BACKENDS.find(request.param)


def name_of(network):
    return str(network) if network.family == "mlp" else f"{network.family} {network}"


class TestBackend:
    @pytest.mark.parametrize(
        "everyone",
        [
            pytest.param(SIX_VARIANTS, id="six variants"),
            pytest.param(SCATTERED, id="scattered", marks=pytest.mark.campaign),
        ],
    )
    @pytest.mark.parametrize("network", EVERY, ids=name_of)
    @pytest.mark.parametrize("dtype", DTYPES)
    def test_after_ten_steps_every_weight_and_loss_is_the_oracles(
        self, backend, network, everyone, dtype, train_images
    ):
        images, expected, expected_losses, *twins = after_ten_steps(network, tuple(everyone), dtype, train_images)
        for members in (everyone, everyone[:1]):
            weights, epoch = prepare(network, members, len(images), dtype)
            losses = end_of(backend.train_epoch(weights, network, images, epoch()))
            # One member alone is judged with the others' twins: its own are too few to see what may happen to it.
            found, found_losses = (
                torch.cat([some, everyones[len(members) :]])
                for some, everyones in ((weights, expected), (losses, expected_losses))
            )
            if dtype is torch.float64:
                assert (found - expected).abs().max() <= 1e-12
                torch.testing.assert_close(found_losses, expected_losses, rtol=1e-12, atol=1e-12)
            else:
                assert_near(found, expected, twins[0])
                assert_near(found_losses, expected_losses, twins[1])

    @pytest.mark.parametrize("variant", PUBLISHED, ids=str)
    @pytest.mark.parametrize("network", EVERY, ids=name_of)
    def test_an_epoch_and_its_count_are_the_sixty_line_examples(
        self, backend, network, variant, train_images, validation_images
    ):
        weights, epoch = prepare(network, [(5, variant)], len(train_images), torch.float64, RATES)
        end_of(backend.train_epoch(weights, network, train_images, epoch()))
        expected, correct = after_an_epoch_of_the_example(network, variant, train_images, validation_images)
        for tensor in network.tensors:
            torch.testing.assert_close(tensor.view(weights)[0], expected[tensor.name], rtol=0, atol=1e-12)
        assert backend.count_correct(weights, network, validation_images).tolist() == [correct]

    @pytest.mark.parametrize("text", ["[1*32]", "[2*6, 1*5]"])
    @pytest.mark.slow
    def test_three_real_epochs_in_float32_stray_as_rounding_leads(self, backend, text):
        real = RealEpochs.of(text, "mnist5k", 3, torch.float32)
        weights = real.weights.clone()
        for expected, counts, twins, counts_of_twins in zip(
            real.expected, real.counts, real.twins, real.counts_of_twins, strict=True
        ):
            end_of(backend.train_epoch(weights, real.network, real.train, real.epoch()))
            assert_near(weights, expected, twins)
            found = backend.count_correct(weights, real.network, real.validation)
            assert_counts_near(found, counts, counts_of_twins)

    @pytest.mark.parametrize(("name", "epochs"), [("mnist5k", 3), ("mnist", 1)])
    @pytest.mark.slow
    def test_real_epochs_are_the_oracles_in_float64(self, backend, name, epochs):
        if name == "mnist" and not os.environ.get("PSA_DATASET_DIR"):
            pytest.skip("PSA_DATASET_DIR does not say where MNIST is")
        real = RealEpochs.of("[2*6, 1*5]", name, epochs, torch.float64)
        weights = real.weights.clone()
        for expected, counts in zip(real.expected, real.counts, strict=True):
            end_of(backend.train_epoch(weights, real.network, real.train, real.epoch()))
            assert (weights - expected).abs().max() <= 1e-12
            assert torch.equal(backend.count_correct(weights, real.network, real.validation), counts)

    @pytest.mark.parametrize(("count", "batch_size"), [(1, 64), (63, 64), (64, 64), (65, 64), (7, 1), (300, 1000)])
    def test_any_number_of_images_and_any_batch_size_will_do(self, backend, count, batch_size, train_images):
        images = train_images[:count]
        hyperparameters = Hyperparameters(learning_rate=1e-3, batch_size=batch_size, weight_decay=0.1, dropout=0.25)
        weights, epoch = prepare(MIXED, SIX_VARIANTS, count, torch.float64, hyperparameters)
        expected = weights.clone()
        losses = end_of(backend.train_epoch(weights, MIXED, images, epoch()))
        expected_losses = end_of(oracle.train_epoch(expected, MIXED, images, epoch()))
        assert (weights - expected).abs().max() <= 1e-12
        torch.testing.assert_close(losses, expected_losses, rtol=1e-12, atol=1e-12)
        counts = oracle.count_correct(weights, MIXED, images)
        assert torch.equal(backend.count_correct(weights, MIXED, images), counts)

    @pytest.mark.parametrize("network", EVERY, ids=name_of)
    def test_evaluation_counts_what_the_oracle_counts(self, backend, network, train_images, validation_images):
        weights, epoch = prepare(network, SIX_VARIANTS, len(train_images))
        end_of(backend.train_epoch(weights, network, train_images, epoch()))
        exact = weights.double()
        expected = oracle.count_correct(exact, network, validation_images)
        assert torch.equal(backend.count_correct(exact, network, validation_images), expected)
        # In float32 an image may be counted otherwise whose two best classes are the same but for rounding: a sum of
        # 784 products is a hundred roundings away at most, which are 1e-5 of it.
        best, second = oracle.logits_of(exact, network, validation_images).topk(2).values.unbind(2)
        undecided = ((best - second > 0) & (best - second < 1e-5 * best.abs().max())).sum(1)
        counts = backend.count_correct(weights, network, validation_images)
        assert counts.dtype is torch.int64
        assert ((counts - expected).abs() <= undecided).all()

    @pytest.mark.parametrize("dtype", DTYPES)
    def test_a_tie_between_classes_counts_as_the_first(self, backend, dtype, validation_images):
        network = mlp("[1*4]")
        weights, _ = prepare(network, [(1, NONE), (2, NONE)], 10, dtype)
        head = network.layers[-1]
        head.weight(weights).zero_()
        head.bias(weights).zero_()
        head.bias(weights)[0, 3:5] = 1
        counts = backend.count_correct(weights, network, validation_images)
        assert counts.tolist() == [int((validation_images.labels == answer).sum()) for answer in (3, 0)]

    @pytest.mark.parametrize("dtype", DTYPES)
    def test_the_same_epoch_twice_gives_the_same_bits(self, backend, dtype, train_images):
        weights, epoch = prepare(MIXED, SIX_VARIANTS, len(train_images), dtype)
        again = weights.clone()
        losses = end_of(backend.train_epoch(weights, MIXED, train_images, epoch()))
        losses_again = end_of(backend.train_epoch(again, MIXED, train_images, epoch()))
        assert torch.equal(weights, again)
        assert torch.equal(losses, losses_again)

    def test_a_member_that_is_not_a_number_leaves_the_others_as_they_are(self, backend, train_images):
        weights, epoch = prepare(MIXED, SIX_VARIANTS, len(train_images))
        expected = weights.clone()
        expected_losses = end_of(backend.train_epoch(expected, MIXED, train_images, epoch()))
        weights[3, 5] = float("nan")
        losses = end_of(backend.train_epoch(weights, MIXED, train_images, epoch()))
        others = [member for member in range(len(weights)) if member != 3]
        assert torch.equal(weights[others], expected[others])
        assert torch.equal(losses[others], expected_losses[others])
        assert losses[3].isnan()
        assert not weights[3].isfinite().all()

    def test_progress_rises_to_all_images_and_the_losses_to_the_epochs(self, backend, train_images):
        weights, epoch = prepare(MIXED, SCATTERED, len(train_images))
        steps = backend.train_epoch(weights, MIXED, train_images, epoch())
        seen = []
        while True:
            try:
                images, losses = next(steps)
            except StopIteration as end:
                mean_losses = end.value
                break
            seen.append(images)
            assert losses.shape[0] == len(weights)
            last = losses.sum(1)
        # At each step, but for Numba's: by the clock, which an epoch as short as this may not reach.
        assert len(seen) >= (1 if backend.name == "numba" else 3)
        assert seen == sorted(seen)
        assert seen[-1] == len(train_images)
        torch.testing.assert_close(last.sort().values, (mean_losses * len(train_images)).sort().values)

    def test_an_epoch_that_is_closed_in_the_middle_leaves_the_weights_as_they_were(self, backend, train_images):
        weights, epoch = prepare(MIXED, SIX_VARIANTS, len(train_images))
        before = weights.clone()
        steps = backend.train_epoch(weights, MIXED, train_images, epoch())
        next(steps)
        steps.close()
        assert torch.equal(weights, before)

    @pytest.mark.parametrize("dtype", DTYPES)
    def test_weights_and_losses_keep_the_dtype(self, backend, dtype, train_images):
        weights, epoch = prepare(MIXED, SIX_VARIANTS, 64, dtype)
        losses = end_of(backend.train_epoch(weights, MIXED, train_images[:64], epoch()))
        assert (weights.dtype, losses.dtype) == (dtype, dtype)

    def test_other_inputs_and_classes_will_do(self, backend, train_images):
        network = mlp("[2*6, 1*5]", (1, 7, 8), 4)
        pixels, labels = train_images.pixels[:, :56].contiguous(), train_images.labels % 4
        images = Images(pixels, labels, (0.3,), (0.2,), (1, 7, 8))
        weights, epoch = prepare(network, SIX_VARIANTS, len(images), torch.float64)
        expected = weights.clone()
        end_of(backend.train_epoch(weights, network, images, epoch()))
        end_of(oracle.train_epoch(expected, network, images, epoch()))
        assert (weights - expected).abs().max() <= 1e-12
        counts = oracle.count_correct(weights, network, images)
        assert torch.equal(backend.count_correct(weights, network, images), counts)
