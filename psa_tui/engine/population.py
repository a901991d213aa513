"""Populations of networks: every member's weights as a row of one tensor, and by the names of checkpoints.

A population of M trials of one network is a float32 tensor of shape [M, parameters]. Row i holds trial i's tensors in
the order of ``Network.tensors``, so a row is a valid checkpoint by itself, and a whole population is cloned, stepped
or compared in one call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from psa_tui.method.randomness import Purpose, generator
from psa_tui.networks.base import Network


def initial_population_row(network: Network, seed: int) -> np.ndarray:
    """Draw the random initialisation of the trial with ``seed``: float32 [parameters]."""
    return network.initial_weights(generator(seed, 0, Purpose.INITIALISATION))


def stack(rows: Sequence[np.ndarray], device: torch.device) -> Tensor:
    """Return rows of shape [parameters] as one population on ``device``: [M, parameters]."""
    return torch.from_numpy(np.stack(rows)).to(device)


def named_weights(network: Network, lkg: Tensor, member: int = 0) -> dict[str, np.ndarray]:
    """Return copies of one member's tensors by name, from the population ``lkg`` [M, parameters]."""
    row = lkg[member : member + 1].detach().cpu().clone()
    return {tensor.name: tensor.view(row)[0].numpy() for tensor in network.tensors}


def flat_weights(network: Network, named: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return tensors by name as one row, float32 [parameters]: the inverse of ``named_weights``.

    Raises:
        KeyError: a tensor is missing.
        ValueError: a tensor has another shape.
    """
    rows = np.empty((1, network.parameters), dtype=np.float32)
    for tensor in network.tensors:
        found = named[tensor.name]
        if found.shape != tensor.shape:
            raise ValueError(f"expected shape {tensor.shape}, found {found.shape}")
        tensor.view(rows)[0] = found
    row: np.ndarray = rows[0]
    return row
