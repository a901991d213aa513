import numpy as np
import pytest
import torch

from psa_tui.engine.backend import BACKENDS
from psa_tui.engine.images import Images
from tests.engine.trials import INPUT_SHAPE


def random_images(count, seed):
    """Ten fuzzy classes that a small network can learn a little of; the margin is black but for six pixels."""
    draws = np.random.default_rng(seed)
    labels = draws.integers(0, 10, count)
    prototypes = np.random.default_rng(0).integers(0, 256, (10, 784))
    pixels = (prototypes[labels] * draws.random((count, 784))).astype(np.uint8)
    pixels[:, ::4] = 0
    pixels[draws.integers(0, count, 6), 4 * draws.integers(0, 196, 6)] = draws.integers(1, 256, 6)
    return Images(torch.from_numpy(pixels), torch.from_numpy(labels), (0.1307,), (0.3081,), INPUT_SHAPE)


@pytest.fixture(scope="session")
def train_images():
    return random_images(300, 1)


@pytest.fixture(scope="session")
def validation_images():
    return random_images(200, 2)


@pytest.fixture(autouse=True)
def one_thread():
    """Small operations are quickest on one thread, and another process cannot slow them down."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    BACKENDS.find("numba").use_threads(1)
    torch.set_num_threads(before)


def pytest_collection_modifyitems(items):
    """Leave most kernels to the campaigns: they take seconds to compile, for each kind of network and each dtype."""
    for item in items:
        values = item.callspec.params if hasattr(item, "callspec") else {}
        if values.get("backend") == "numba" and "network" in values:
            kept = ("[2*6, 1*5]",) if values.get("dtype") is torch.float64 else ("[2*6, 1*5]", "[1*72]")
            if str(values["network"]) not in kept:
                item.add_marker(pytest.mark.campaign)
