"""Any network, by automatic differentiation, on any device. Importing this needs no torch."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from psa_tui.engine.parallelism import threads_of_products
from psa_tui.networks.base import Network

if TYPE_CHECKING:
    from torch import Tensor

    from psa_tui.engine.backend import Epoch
    from psa_tui.engine.images import Images


class ModuleBackend:
    """Trains what ``Network.forward`` computes, see ``psa_tui.engine.backend.Backend``."""

    name = "module"
    every_variant = True
    measures_activity = True
    takes_floats = True

    def refusal(self, network: Network, device: str) -> str | None:
        """Return None: it can train every network, whose buffers are where they must be."""
        if any(buffer.offset < network.trained for buffer in network.buffers):
            return "its buffers are not the last of its tensors"
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
        from psa_tui.engine.backends.module.training import train_epoch

        return train_epoch(weights, network, images, epoch)

    def count_correct(self, weights: Tensor, network: Network, images: Images, active: Tensor | None = None) -> Tensor:
        """Count correct answers of ``weights`` [M, parameters], see ``Backend``."""
        from psa_tui.engine.backends.module.training import count_correct

        return count_correct(weights, network, images, active)
