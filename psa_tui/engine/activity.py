"""What the hidden units of a network do with images."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from psa_tui.engine.backends.module.training import network_inputs, tensors_of
from psa_tui.engine.images import Images
from psa_tui.networks.base import Network

_SAMPLE = 1000


def hidden_activations(row: Tensor, network: Network, images: Images) -> Tensor:
    """Return the activation of every hidden unit of the network with weights ``row`` [parameters]: [N, hidden units].

    Of a unit with several, as a channel of a convolution has, it is the mean.
    """
    found = row.new_zeros(len(images), network.hidden_units)

    def record(activations: Tensor, first_unit: int) -> Tensor:
        units = activations.shape[1]
        found[:, first_unit : first_unit + units] = activations.view(len(activations), units, -1).mean(2)
        return activations

    with torch.no_grad():
        everything = torch.arange(len(images), device=row.device)
        network.watched_forward(tensors_of(network, row), network_inputs(images, everything, row.dtype), record)
    return found


def mean_activations(row: Tensor, network: Network, validation: Images) -> np.ndarray:
    """Return the mean activation of every hidden unit on the first thousand validation images: [hidden units]."""
    sample = validation[: min(_SAMPLE, len(validation))]
    return hidden_activations(row, network, sample).mean(0).cpu().numpy()
