import os
from pathlib import Path

import numpy as np
import pytest
import torch

from psa_tui.data import load_dataset
from psa_tui.engine.backends.torch.training import Epoch, Images, count_correct, train_epoch
from psa_tui.engine.population import initial_weights, layout, stack
from psa_tui.method.ablation import ablate, choose
from psa_tui.method.randomness import DropoutBits, shuffled
from psa_tui.method.variants import AblationMode
from psa_tui.networks.mlp import parse_architecture
from tests.engine import oracle
from tests.engine.oracle import end_of
from tests.engine.twins import TWINS, Twin, assert_counts_near, assert_near

BATCH = 64
SHAPES = ["[2*6, 1*5]", "[1*16]", "[3*1]", "[2*8, 1*1, 1*3]", "[1*3, 1*40]"]
SIX_MODES = [(seed, mode) for seed in (1, 2) for mode in AblationMode]
SCATTERED = [(s, m) for m in (AblationMode.DROPOUT, AblationMode.DECAY, AblationMode.NONE) for s in (3, 1, 1, 2)]


def prepare(text, members, count, dtype=torch.float32, learning_rate=1e-3):
    """A population after the ablations of loop 2, and a function that makes that loop's epoch afresh."""
    layers = layout(parse_architecture(text))
    flat = stack([initial_weights(layers, seed) for seed, _ in members], torch.device("cpu")).to(dtype)
    for member, (seed, mode) in enumerate(members):
        if mode.ablates:
            ablate(flat, member, mode, layers, choose(mode, layers, seed, 2))
    seeds = sorted({seed for seed, _ in members})

    def epoch():
        return Epoch(
            orders=torch.from_numpy(np.stack([shuffled(seed, 2, count) for seed in seeds])),
            order_of=tuple(seeds.index(seed) for seed, _ in members),
            learning_rate=learning_rate,
            batch_size=BATCH,
            weight_decay=tuple(0.1 if mode is AblationMode.DECAY else 0.0 for _, mode in members),
            dropout=tuple(DropoutBits(s, 2, 0.25) if m is AblationMode.DROPOUT else None for s, m in members),
        )

    return layers, flat, epoch


def ten_steps(images):
    """The images of ten steps, the last one of which is not a whole batch."""
    chosen = torch.arange(10 * BATCH - 20) % len(images)
    return Images(images.pixels[chosen], images.labels[chosen], images.mean, images.std)


def of_twins(layers, flat, images, epoch):
    """The weights [T, M, parameters] and the losses [T, M] of the twins after one epoch."""
    weights, losses = zip(*(Twin(n, layers).train(flat, images, epoch()) for n in range(TWINS)), strict=True)
    return torch.stack(weights), torch.stack(losses)


@pytest.mark.parametrize("everyone", [SIX_MODES, SCATTERED])
@pytest.mark.parametrize("text", SHAPES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_after_ten_steps_every_weight_is_the_oracles(text, everyone, dtype, train_images):
    images = ten_steps(train_images)
    layers, flat, epoch = prepare(text, everyone, len(images), dtype)
    expected = flat.clone()
    expected_losses = end_of(oracle.train_epoch(expected, layers, images, epoch()))
    if dtype is torch.float32:
        weights_of_twins, losses_of_twins = of_twins(layers, flat, images, epoch)
    for members in (everyone, everyone[:1]):
        layers, flat, epoch = prepare(text, members, len(images), dtype)
        losses = end_of(train_epoch(flat, layers, images, epoch()))
        # One member alone is judged with the others' twins: its own are too few to see what may happen to it.
        found, found_losses = (
            torch.cat([a, b[len(members) :]]) for a, b in ((flat, expected), (losses, expected_losses))
        )
        if dtype is torch.float64:
            assert (found - expected).abs().max() <= 1e-12
            torch.testing.assert_close(found_losses, expected_losses, rtol=1e-12, atol=1e-12)
        else:
            assert_near(found, expected, weights_of_twins)
            assert_near(found_losses, expected_losses, losses_of_twins)


@pytest.mark.parametrize(("most", "chunks"), [(1, 12), (2, 7), (5, 4), (9, 2)])
def test_a_population_in_several_chunks_is_the_oracles_too(most, chunks, monkeypatch, train_images):
    monkeypatch.setattr("psa_tui.engine.backends.torch.chunking._ACTIVATION_BYTES", 4 * 10 * BATCH * most)
    images = ten_steps(train_images)
    layers, flat, epoch = prepare("[2*6, 1*5]", SCATTERED, len(images))
    expected = flat.clone()
    twins, _ = of_twins(layers, flat, images, epoch)
    progress = [(seen, float(losses.sum())) for seen, losses in train_epoch(flat, layers, images, epoch())]
    end_of(oracle.train_epoch(expected, layers, images, epoch()))
    assert_near(flat, expected, twins)
    assert len(progress) == chunks * 10
    assert progress[-1][0] == len(images)
    assert progress == sorted(progress)


def test_a_tie_between_classes_counts_as_the_first(validation_images):
    layers, flat, _ = prepare("[1*4]", [(1, AblationMode.NONE), (2, AblationMode.NONE)], 10)
    layers[-1].weight(flat).zero_()
    layers[-1].bias(flat).zero_()
    layers[-1].bias(flat)[0, 3:5] = 1
    counts = count_correct(flat, layers, validation_images)
    assert counts.tolist() == [int((validation_images.labels == answer).sum()) for answer in (3, 0)]


@pytest.mark.parametrize("text", SHAPES)
def test_evaluation_counts_what_the_oracle_counts(text, train_images, validation_images):
    layers, flat, epoch = prepare(text, SIX_MODES, len(train_images))
    end_of(train_epoch(flat, layers, train_images, epoch()))
    exact = flat.double()
    expected = oracle.count_correct(exact, layers, validation_images)
    assert torch.equal(count_correct(exact, layers, validation_images), expected)
    # In float32 an image may be counted otherwise whose two best classes are the same but for rounding: a sum of 784
    # products is a hundred roundings away at most, which are 1e-5 of it.
    best, second = oracle.logits_of(exact, layers, validation_images).topk(2).values.unbind(2)
    undecided = ((best - second > 0) & (best - second < 1e-5 * best.abs().max())).sum(1)
    assert ((count_correct(flat, layers, validation_images) - expected).abs() <= undecided).all()


def test_the_same_epoch_twice_gives_the_same_bits(train_images):
    layers, flat, epoch = prepare("[2*6, 1*5]", SIX_MODES, len(train_images))
    again = flat.clone()
    end_of(train_epoch(flat, layers, train_images, epoch()))
    end_of(train_epoch(again, layers, train_images, epoch()))
    assert torch.equal(flat, again)


class _Reading(torch.utils._python_dispatch.TorchDispatchMode):
    """Fails when a number is read out of a tensor, which would make a GPU and its host wait for one another."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.name()
        assert name not in ("aten::_local_scalar_dense", "aten::nonzero", "aten::equal", "aten::is_nonzero"), name
        return function(*args, **(kwargs or {}))


def test_no_step_reads_a_number_out_of_a_tensor(train_images):
    layers, flat, epoch = prepare("[2*6, 1*5]", SIX_MODES, len(train_images))
    steps = train_epoch(flat, layers, train_images, epoch())
    next(steps)
    with _Reading():
        assert len(list(steps)) == len(train_images) // BATCH
    with pytest.raises(AssertionError, match="_local_scalar_dense"), _Reading():
        flat.sum().item()


def real_images(name):
    data = load_dataset(name, Path(os.environ.get("PSA_DATASET_DIR", "")))
    return (
        Images(torch.from_numpy(split.pixels), torch.from_numpy(split.labels), data.mean, data.std)
        for split in (data.train, data.validation)
    )


@pytest.mark.slow
@pytest.mark.parametrize("text", ["[1*32]", "[2*6, 1*5]"])
def test_three_real_epochs_count_what_the_oracle_counts(text):
    train, validation = real_images("mnist5k")
    layers, flat, epoch = prepare(text, [(1, mode) for mode in AblationMode], len(train), learning_rate=1e-4)
    twins = [Twin(number, layers) for number in range(TWINS)]
    expected, of_twins = flat.clone(), [flat.clone() for _ in twins]
    for _ in range(3):
        end_of(train_epoch(flat, layers, train, epoch()))
        end_of(oracle.train_epoch(expected, layers, train, epoch()))
        of_twins = [twin.train(weights, train, epoch())[0] for twin, weights in zip(twins, of_twins, strict=True)]
        assert_near(flat, expected, torch.stack(of_twins))
        assert_counts_near(
            count_correct(flat, layers, validation),
            oracle.count_correct(expected, layers, validation),
            torch.stack(
                [twin.count_correct(weights, validation) for twin, weights in zip(twins, of_twins, strict=True)]
            ),
        )


@pytest.mark.slow
@pytest.mark.parametrize(("name", "epochs"), [("mnist5k", 3), ("mnist", 1)])
def test_real_epochs_are_the_oracles_in_float64(name, epochs):
    if name == "mnist" and not os.environ.get("PSA_DATASET_DIR"):
        pytest.skip("PSA_DATASET_DIR does not say where MNIST is")
    train, validation = real_images(name)
    members = [(1, mode) for mode in AblationMode]
    layers, flat, epoch = prepare("[2*6, 1*5]", members, len(train), torch.float64, learning_rate=1e-4)
    expected = flat.clone()
    for _ in range(epochs):
        end_of(train_epoch(flat, layers, train, epoch()))
        end_of(oracle.train_epoch(expected, layers, train, epoch()))
        assert (flat - expected).abs().max() <= 1e-12
        assert torch.equal(count_correct(flat, layers, validation), oracle.count_correct(expected, layers, validation))
