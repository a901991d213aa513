"""A backend: the plain arithmetic of any network, with a rest after every step."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import TYPE_CHECKING

from psa_tui.engine.backends.module import ModuleBackend
from psa_tui.networks import Network

if TYPE_CHECKING:
    from torch import Tensor

    from psa_tui.engine.backend import Epoch
    from psa_tui.engine.images import Images

_PLAIN = ModuleBackend()
_REST_S = 0.002


class SlowBackend:
    """Trains any network on the CPU, without haste."""

    name = "slow"

    def refusal(self, network: Network, device: str) -> str | None:
        """Return why it cannot train ``network`` on ``device``, see ``Backend``."""
        return None if device == "cpu" else "it trains on the CPU only"

    def threads(self, network: Network, batch_size: int, cores: int) -> int:
        """Return one core, see ``Backend``."""
        return 1

    def train_epoch(
        self, weights: Tensor, network: Network, images: Images, epoch: Epoch
    ) -> Generator[tuple[int, Tensor], None, Tensor]:
        """Train ``weights`` [M, parameters] for one epoch, see ``Backend``."""
        steps = _PLAIN.train_epoch(weights, network, images, epoch)
        while True:
            try:
                step = next(steps)
            except StopIteration as done:
                losses: Tensor = done.value
                return losses
            time.sleep(_REST_S)
            yield step

    def count_correct(self, weights: Tensor, network: Network, images: Images) -> Tensor:
        """Return how many images each member classifies correctly, see ``Backend``."""
        return _PLAIN.count_correct(weights, network, images)
