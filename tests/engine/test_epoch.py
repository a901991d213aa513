import os
from pathlib import Path

import numpy as np
import pytest
import torch

from psa_tui.architecture import parse_architecture
from psa_tui.data import load_dataset
from psa_tui.engine.ablation import ablate, choose
from psa_tui.engine.epoch import Epoch, Images, count_correct, train_epoch
from psa_tui.engine.model import initial_weights, layout, stack
from psa_tui.engine.randomness import DropoutBits, shuffled
from psa_tui.modes import AblationMode
from tests.engine import oracle

BATCH = 64
SHAPES = ["[2*6, 1*5]", "[1*16]", "[3*1]", "[2*8, 1*1, 1*3]", "[1*3, 1*40]"]
SIX_MODES = [(seed, mode) for seed in (1, 2) for mode in AblationMode]
SCATTERED = [(s, m) for m in (AblationMode.DROPOUT, AblationMode.DECAY, AblationMode.NONE) for s in (3, 1, 1, 2)]


def end_of(steps):
    """Exhaust a generator; what it returns."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


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


@pytest.mark.parametrize("members", [SIX_MODES, SCATTERED, SIX_MODES[:1], SCATTERED[:1]])
@pytest.mark.parametrize("text", SHAPES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_after_ten_steps_every_weight_is_the_oracles(text, members, dtype, tolerance, train_images):
    images = ten_steps(train_images)
    layers, flat, epoch = prepare(text, members, len(images), dtype)
    expected = flat.clone()
    losses = end_of(train_epoch(flat, layers, images, epoch()))
    expected_losses = end_of(oracle.train_epoch(expected, layers, images, epoch()))
    assert (flat - expected).abs().max() <= tolerance
    torch.testing.assert_close(losses, expected_losses, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("most", "chunks"), [(1, 12), (2, 7), (5, 4), (9, 2)])
def test_a_population_in_several_chunks_is_the_oracles_too(most, chunks, monkeypatch, train_images):
    monkeypatch.setattr("psa_tui.engine.plan._ACTIVATION_BYTES", 4 * 10 * BATCH * most)
    images = ten_steps(train_images)
    layers, flat, epoch = prepare("[2*6, 1*5]", SCATTERED, len(images))
    expected = flat.clone()
    progress = [(seen, float(losses.sum())) for seen, losses in train_epoch(flat, layers, images, epoch())]
    end_of(oracle.train_epoch(expected, layers, images, epoch()))
    assert (flat - expected).abs().max() <= 1e-5
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
    expected = oracle.count_correct(flat, layers, validation_images)
    assert torch.equal(count_correct(flat, layers, validation_images), expected)


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


@pytest.mark.parametrize(
    ("text", "modes", "dtype", "most"),
    [
        ("[1*32]", [AblationMode.NONE, AblationMode.DECAY], torch.float32, 2),
        ("[2*6, 1*5]", list(AblationMode), torch.float32, 2),
        ("[2*6, 1*5]", list(AblationMode), torch.float64, 0),
    ],
)
def test_three_real_epochs_count_what_the_oracle_counts(text, modes, dtype, most):
    folder = os.environ.get("PSA_DATASET_DIR")
    data = load_dataset("mnist", Path(folder)) if folder else load_dataset("mnist5k", Path())
    train, validation = (
        Images(torch.from_numpy(split.pixels), torch.from_numpy(split.labels), data.mean, data.std)
        for split in (data.train, data.validation)
    )
    layers, flat, epoch = prepare(text, [(1, mode) for mode in modes], len(train), dtype, learning_rate=1e-4)
    expected = flat.clone()
    for _ in range(3):
        end_of(train_epoch(flat, layers, train, epoch()))
        end_of(oracle.train_epoch(expected, layers, train, epoch()))
        difference = count_correct(flat, layers, validation) - oracle.count_correct(expected, layers, validation)
        assert difference.abs().max() <= most
        if dtype is torch.float64:
            assert (flat - expected).abs().max() <= 1e-12
