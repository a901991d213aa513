"""Batched products for populations of fully connected networks, on any device. Importing this needs no torch."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from psa_tui.engine.parallelism import threads_of_products
from psa_tui.networks.base import Network
from psa_tui.networks.mlp import Mlp

if TYPE_CHECKING:
    from torch import Tensor

    from psa_tui.engine.backend import Epoch
    from psa_tui.engine.images import Images


class TorchBackend:
    """Trains fully connected networks, see ``psa_tui.engine.backend.Backend``."""

    name = "torch"
    every_variant = True
    measures_activity = True
    takes_floats = True

    def refusal(self, network: Network, device: str) -> str | None:
        """Return why it cannot train ``network``; None when it can."""
        if not isinstance(network, Mlp):
            return f"trains networks of family {Mlp.family} only, not {network.family}"
        return None

    def threads(self, network: Network, batch_size: int, cores: int) -> int:
        """Return all cores where the first layer is wide, else one, see ``Backend``."""
        return threads_of_products(network, batch_size, cores)

    def train_epoch(
        self, weights: Tensor, network: Network, images: Images, epoch: Epoch
    ) -> Generator[tuple[int, Tensor], None, Tensor]:
        """Train ``weights`` [M, parameters] in place, see ``Backend``."""
        from psa_tui.engine.backends.torch.training import train_epoch

        return train_epoch(weights, _mlp(network), images, epoch)

    def count_correct(self, weights: Tensor, network: Network, images: Images, active: Tensor | None = None) -> Tensor:
        """Count correct answers of ``weights`` [M, parameters], see ``Backend``."""
        from psa_tui.engine.backends.torch.evaluation import count_correct

        return count_correct(weights, _mlp(network), images, active)


def _mlp(network: Network) -> Mlp:
    if not isinstance(network, Mlp):
        raise TypeError(f"backend {TorchBackend.name} got a network of family {network.family}")
    return network
