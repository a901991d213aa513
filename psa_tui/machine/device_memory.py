"""The memory of the device that a process trains on, as far as PyTorch tells it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psa_tui.method.events import DeviceMemoryMeasured

if TYPE_CHECKING:
    import torch


def measure_device_memory(device: torch.device) -> DeviceMemoryMeasured | None:
    """Return what this process has of the memory of ``device``; None where that is the machine's, as on a CPU."""
    import torch

    if device.type != "cuda":
        return None
    return DeviceMemoryMeasured(
        allocated_bytes=torch.cuda.memory_allocated(device),
        total_bytes=torch.cuda.get_device_properties(device).total_memory,
    )
