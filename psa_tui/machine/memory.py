"""Whether a network can be trained here, asked before anything is allocated; torch is not imported."""

from __future__ import annotations

from psa_tui.data.free_memory import available_memory_bytes
from psa_tui.errors import ConfigError
from psa_tui.networks.base import Network

__all__ = ["available_memory_bytes", "check_memory"]


def check_memory(network: Network, batch_size: int, train_count: int, kept_copies: int = 0) -> None:
    """Refuse a network too large for the memory here, ``batch_size`` of ``train_count`` images at once.

    Args:
        kept_copies: of the parameters, beside those of a published mode (``Variant.kept_copies``).

    Raises:
        ConfigError: the computed need exceeds the memory that is available.
    """
    need, available = (
        network.training_bytes(min(batch_size, train_count), kept_copies=kept_copies),
        available_memory_bytes(),
    )
    if need > available:
        raise ConfigError(
            f"{network} has {network.parameters:,} parameters and needs about {need / 1e9:,.1f} GB "
            f"to train; {available / 1e9:,.1f} GB of memory are available: choose a smaller --arch or --batch-size"
        )
