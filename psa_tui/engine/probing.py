"""Measuring what damaged weights still can: many draws are one population."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from psa_tui.engine.backend import Backend
from psa_tui.engine.images import Images
from psa_tui.method.probes import Probe
from psa_tui.networks.base import Network

_ROWS_BYTES = 64 << 20
"""Damaged copies of the weights that are made at a time."""


def count_untouched(row: np.ndarray, network: Network, images: Images, backend: Backend) -> int:
    """Return how many images the weights ``row`` [parameters] classify correctly, measured as at a run's end."""
    return int(_count(row[None], network, images, backend)[0])


def count_damaged(
    probe: Probe,
    row: np.ndarray,
    network: Network,
    images: Images,
    backend: Backend,
    level: float,
    advance: Callable[[int], None],
) -> np.ndarray:
    """Return how many images ``row`` [parameters] classifies correctly after each draw of ``level``: int64 [draws].

    ``advance`` is told how many draws were measured, whenever some were.
    """
    together = max(1, _ROWS_BYTES // row.nbytes)
    correct = []
    for first in range(0, probe.draws, together):
        rows = np.repeat(row[None], min(together, probe.draws - first), axis=0)
        probe.damage(rows, network, level, first)
        correct.append(_count(rows, network, images, backend))
        advance(len(rows))
    return np.concatenate(correct)


def _count(rows: np.ndarray, network: Network, images: Images, backend: Backend) -> np.ndarray:
    counts: np.ndarray = (
        backend.count_correct(torch.from_numpy(rows).to(images.labels.device), network, images).cpu().numpy()
    )
    return counts
