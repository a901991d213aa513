"""Whether an architecture can be trained here, asked before anything is allocated or imported."""

from __future__ import annotations

from psa_tui.architecture import Architecture
from psa_tui.device import available_memory_bytes
from psa_tui.errors import ConfigError


def check_memory(architecture: Architecture, batch_size: int) -> None:
    """Refuse an architecture that cannot be trained in this machine's memory.

    Raises:
        ConfigError: the computed need exceeds the memory that is available.
    """
    need, available = architecture.training_bytes(batch_size), available_memory_bytes()
    if need > available:
        raise ConfigError(
            f"{architecture} has {architecture.parameters:,} parameters and needs about {need / 1e9:,.1f} GB "
            f"to train; {available / 1e9:,.1f} GB of memory are available: choose a smaller --arch or --batch-size"
        )
