"""Kernels compiled by Numba for fully connected networks, on the CPU. Importing this needs neither torch nor numba."""

from __future__ import annotations

import platform
from collections.abc import Generator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from psa_tui.engine.backends import Lack
from psa_tui.networks.base import Network
from psa_tui.networks.stacked import StackedNetwork

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from psa_tui.engine.backend import Epoch
    from psa_tui.engine.images import Images

_PROCESSORS = ("x86_64", "amd64", "aarch64", "arm64")
_CONFIG = ".numba_config.yaml"
"""Importing Numba reads it, where PyYAML is installed too."""
_MOST_INPUTS, _MOST_CLASSES = 16 * 0xFFFF, 1 << 16
"""What the numbers of patches and of labels, sixteen bits each, have room for."""
_IMAGES_PER_THREAD = 64
"""Fewer images of a batch are not worth a thread."""


class NumbaBackend:
    """Trains networks of linear layers on images of one channel, see ``psa_tui.engine.backend.Backend``."""

    name = "numba"
    every_variant = True
    measures_activity = True
    takes_floats = False

    def __init__(self) -> None:
        """Begin with one thread."""
        self._threads = 1

    def refusal(self, network: Network, device: str) -> str | None:
        """Return why it cannot train ``network``; None when it can."""
        if not isinstance(network, StackedNetwork):
            return f"trains fully connected networks only, residual ones too, not those of family {network.family}"
        if network.skips_inputs:
            return f"trains residual networks whose first width is not that of the images only, not {network}"
        if len(network.input_shape) > 1 and network.input_shape[0] != 1:
            return f"trains on images of one channel only, not of {network.input_shape[0]}"
        if network.inputs > _MOST_INPUTS or network.classes > _MOST_CLASSES:
            return f"trains on at most {_MOST_INPUTS:,} pixels and {_MOST_CLASSES:,} classes"
        if device != "cpu":
            return f"trains on the CPU only, not on {device}"
        return self.lack()

    def lack(self) -> Lack | None:
        """Return what this machine lacks for it to train any network; None when nothing."""
        if (machine := platform.machine().lower()) not in _PROCESSORS:
            return Lack(f"its kernels are for x86-64 and 64-bit ARM, not for {machine}")
        if find_spec("numba") is None:
            return Lack("numba is not installed")
        if Path(_CONFIG).exists():
            return Lack(f"Numba would take settings from {_CONFIG} in the current folder; remove it or go elsewhere")
        return None

    def threads(self, network: Network, batch_size: int, cores: int) -> int:
        """Return as many cores as a step has enough for, see ``Backend``."""
        return max(1, min(cores, batch_size // _IMAGES_PER_THREAD))

    def use_threads(self, count: int) -> None:
        """Compute with ``count`` threads of its own, and one of PyTorch's, see ``Backend``.

        After each operation of several of PyTorch's threads these look out for the next one for milliseconds, as long
        as an epoch may take, on the cores that the kernels' threads need. Loads the compiler.
        """
        import torch

        import psa_tui.engine.backends.numba.training  # noqa: F401

        torch.set_num_threads(1)
        self._threads = count

    def shuffled(self, seed: int, meta_loop: int, count: int) -> np.ndarray:
        """Draw an order of images, see ``Backend``."""
        from psa_tui.engine.backends.numba.orders import shuffled

        return shuffled(seed, meta_loop, count)

    def train_epoch(
        self, weights: Tensor, network: Network, images: Images, epoch: Epoch
    ) -> Generator[tuple[int, Tensor], None, Tensor]:
        """Train ``weights`` [M, parameters] in place, see ``Backend``."""
        from psa_tui.engine.backends.numba.training import train_epoch

        return train_epoch(weights, _stacked(network), images, epoch, self._threads)

    def count_correct(self, weights: Tensor, network: Network, images: Images, active: Tensor | None = None) -> Tensor:
        """Count correct answers of ``weights`` [M, parameters], see ``Backend``."""
        from psa_tui.engine.backends.numba.training import count_correct

        return count_correct(weights, _stacked(network), images, self._threads, active)


def _stacked(network: Network) -> StackedNetwork:
    if not isinstance(network, StackedNetwork):
        raise TypeError(f"backend {NumbaBackend.name} got a network of family {network.family}")
    return network
