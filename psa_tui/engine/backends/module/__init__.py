"""Any network, by automatic differentiation, on any device. Importing this needs no torch."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from psa_tui.networks.base import Network

if TYPE_CHECKING:
    from torch import Tensor

    from psa_tui.engine.backend import Epoch
    from psa_tui.engine.images import Images
    from psa_tui.engine.process_group import ProcessGroup


class ModuleBackend:
    """Trains what ``Network.forward`` computes, see ``psa_tui.engine.backend.Backend``."""

    name = "module"
    data_parallel = False
    every_variant = True
    measures_activity = True

    def refusal(self, network: Network, device: str) -> str | None:
        """Return None: it can train every network."""
        return None

    def prepare(self, images: Images) -> None:
        """Do nothing: it trains in one process."""

    def train_epoch(
        self, weights: Tensor, network: Network, images: Images, epoch: Epoch, group: ProcessGroup | None = None
    ) -> Generator[tuple[int, Tensor], None, Tensor]:
        """Train ``weights`` [M, parameters] in place, see ``Backend``."""
        from psa_tui.engine.backends.module.training import train_epoch

        return train_epoch(weights, network, images, epoch)

    def count_correct(
        self,
        weights: Tensor,
        network: Network,
        images: Images,
        group: ProcessGroup | None = None,
        active: Tensor | None = None,
    ) -> Tensor:
        """Count correct answers of ``weights`` [M, parameters], see ``Backend``."""
        from psa_tui.engine.backends.module.training import count_correct

        return count_correct(weights, network, images, active)
