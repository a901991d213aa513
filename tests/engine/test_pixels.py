"""Images of several channels, and of floats: a backend that takes them computes what autograd does."""

import numpy as np
import pytest
import torch

from psa_tui.engine.backend import BACKENDS
from psa_tui.engine.images import Images
from psa_tui.method.hyperparameters import Hyperparameters
from psa_tui.method.variants import DROPOUT, NONE
from tests.engine.trials import end_of, mlp, prepare

COUNT = 300
RATES = Hyperparameters(learning_rate=1e-3, batch_size=64, weight_decay=1e-4, dropout=0.1)


def colour(draws, labels):
    """Three channels in different ranges; half of the places are nearly always black."""
    pixels = draws.integers(1, 256, (COUNT, 3, 8, 8), np.uint8) // np.array([1, 2, 4], np.uint8)[:, None, None]
    pixels[:, :, ::2] = 0
    pixels[draws.integers(0, COUNT, 6), 1, 2 * draws.integers(0, 4, 6), 3] = 77
    return pixels.reshape(COUNT, -1), (0.4, 0.2, 0.1), (0.2, 0.11, 0.05), (3, 8, 8)


def floats(draws, labels):
    """Numbers around 0, of one dimension, some of them nearly always 0."""
    numbers = draws.normal(size=(COUNT, 50)).astype(np.float32) + labels[:, None] / 5
    numbers[:, ::3] *= draws.random((COUNT, 17)) < 0.01
    return numbers.astype(np.float32), (3.0,), (7.0,), (50,)


def dense_bytes(draws, labels):
    """Noise without any black pixel, as fashion has little."""
    return draws.integers(1, 256, (COUNT, 144), np.uint8), (0.5,), (0.3,), (1, 12, 12)


@pytest.mark.parametrize("backend", ["torch", pytest.param("numba", marks=pytest.mark.campaign)])
@pytest.mark.parametrize("made", [colour, floats, dense_bytes])
def test_an_epoch_on_images_of_any_kind_is_that_of_autograd(made, backend):
    draws = np.random.default_rng(4)
    labels = draws.integers(0, 10, COUNT)
    pixels, mean, std, shape = made(draws, labels)
    images = Images(torch.from_numpy(pixels), torch.from_numpy(labels), mean, std, shape)
    network, backend = mlp("[2*6, 1*5]", shape), BACKENDS.find(backend)
    if not backend.takes_floats and made is not dense_bytes:
        pytest.skip("it is refused: see test_backend")
    found, counts = [], []
    for one in (backend, BACKENDS.find("module")):
        weights, epoch = prepare(network, [(1, NONE), (1, DROPOUT), (2, NONE)], COUNT, torch.float64, RATES)
        end_of(one.train_epoch(weights, network, images, epoch()))
        found.append(weights)
        counts.append(one.count_correct(weights, network, images).tolist())
    torch.testing.assert_close(found[0], found[1], rtol=0, atol=1e-12)
    assert counts[0] == counts[1]


def test_a_network_sees_each_channel_standardised_and_floats_as_they_are():
    from psa_tui.engine.backends.module.training import network_inputs

    draws = np.random.default_rng(4)
    labels = draws.integers(0, 10, COUNT)
    pixels, mean, std, shape = colour(draws, labels)
    images = Images(torch.from_numpy(pixels), torch.from_numpy(labels), mean, std, shape)
    seen = network_inputs(images, torch.arange(COUNT), torch.float64)
    expected = pixels.reshape(COUNT, 3, 8, 8) / 255
    for channel in range(3):
        np.testing.assert_allclose(
            seen[:, channel].numpy(), (expected[:, channel] - mean[channel]) / std[channel], rtol=1e-12, atol=1e-12
        )
    numbers, *about = floats(draws, labels)
    images = Images(torch.from_numpy(numbers), torch.from_numpy(labels), *about)
    assert np.array_equal(network_inputs(images, torch.arange(COUNT), torch.float32).numpy(), numbers)
