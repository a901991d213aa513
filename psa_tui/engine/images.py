"""Images on the training device."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from psa_tui.data.spec import DatasetSpec, Split


@dataclass(frozen=True)
class Images:
    """One split on the training device: ``pixels`` [N, inputs] and ``labels`` int64 [N].

    A network sees bytes (uint8) scaled to [0, 1], then standardised with ``mean`` and ``std``, which have a number a
    channel. Floats it sees as they are.
    """

    pixels: Tensor
    labels: Tensor
    mean: tuple[float, ...]
    std: tuple[float, ...]
    input_shape: tuple[int, ...]
    prepared: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)
    """What backends computed of the pixels once, by the backend's own key."""

    @property
    def are_floats(self) -> bool:
        """Whether a network sees the pixels as they are."""
        return self.pixels.is_floating_point()

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.labels)

    def __getitem__(self, some: slice) -> Images:
        """Return ``some`` of the images; no copies."""
        return Images(self.pixels[some], self.labels[some], self.mean, self.std, self.input_shape)


def load_images(split: Split, spec: DatasetSpec, device: torch.device) -> Images:
    """Put a split onto ``device``."""
    return Images(
        torch.from_numpy(split.pixels).to(device),
        torch.from_numpy(split.labels).to(device),
        spec.mean,
        spec.std,
        spec.input_shape,
    )
