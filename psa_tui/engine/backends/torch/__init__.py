"""Batched products for populations of fully connected networks, on any device. Importing this needs no torch."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from psa_tui.engine.parallelism import threads_of_products
from psa_tui.networks.base import Network
from psa_tui.networks.stacked import StackedNetwork

if TYPE_CHECKING:
    from torch import Tensor

    from psa_tui.engine.backend import Epoch
    from psa_tui.engine.images import Images


class TorchBackend:
    """Trains networks of linear layers, see ``psa_tui.engine.backend.Backend``."""

    name = "torch"
    every_variant = True
    measures_activity = True
    takes_floats = True

    def refusal(self, network: Network, device: str) -> str | None:
        """Return why it cannot train ``network``; None when it can."""
        if not isinstance(network, StackedNetwork):
            return f"trains fully connected networks only, residual ones too, not those of family {network.family}"
        if network.skips_inputs:
            return f"trains residual networks whose first width is not that of the images only, not {network}"
        return None

    def threads(self, network: Network, batch_size: int, cores: int) -> int:
        """Return all cores where the first layer is wide, else one, see ``Backend``."""
        return threads_of_products(network, batch_size, cores)

    def use_threads(self, count: int) -> None:
        """Compute with ``count`` of PyTorch's threads, see ``Backend``."""
        import torch

        torch.set_num_threads(count)

    def train_epoch(
        self, weights: Tensor, network: Network, images: Images, epoch: Epoch
    ) -> Generator[tuple[int, Tensor], None, Tensor]:
        """Train ``weights`` [M, parameters] in place, see ``Backend``."""
        from psa_tui.engine.backends.torch.training import train_epoch

        return train_epoch(weights, _stacked(network), images, epoch)

    def count_correct(self, weights: Tensor, network: Network, images: Images, active: Tensor | None = None) -> Tensor:
        """Count correct answers of ``weights`` [M, parameters], see ``Backend``."""
        from psa_tui.engine.backends.torch.evaluation import count_correct

        return count_correct(weights, _stacked(network), images, active)


def _stacked(network: Network) -> StackedNetwork:
    if not isinstance(network, StackedNetwork):
        raise TypeError(f"backend {TorchBackend.name} got a network of family {network.family}")
    return network
