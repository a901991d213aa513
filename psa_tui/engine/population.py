"""Populations of networks: every member's weights in one flat tensor, seen through named views.

A population of M trials of one architecture is a float32 tensor of shape [M, parameters]. Row i holds
trial i's weights and biases in the order of ``nn.Sequential(Linear, ReLU, Dropout, ..., Linear)``, so a
row is a valid checkpoint by itself, and a whole population is cloned, stepped or compared in one call.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt

import numpy as np
import torch
from torch import Tensor

from psa_tui.method.randomness import Purpose, generator
from psa_tui.networks.mlp import CLASSES, INPUTS, Architecture


@dataclass(frozen=True, slots=True)
class Linear:
    """Where one linear layer lies in a flat row: ``outputs * inputs`` weights, then ``outputs`` biases."""

    inputs: int
    outputs: int
    offset: int
    name: str
    """The module's name in the equivalent ``nn.Sequential``: "0", "3", "6", ..."""

    @property
    def bias_offset(self) -> int:
        """Where the biases begin."""
        return self.offset + self.outputs * self.inputs

    @property
    def end(self) -> int:
        """Where the next layer begins."""
        return self.bias_offset + self.outputs

    def weight(self, flat: Tensor) -> Tensor:
        """The weights of every member, a view of ``flat`` [M, parameters]: [M, outputs, inputs]."""
        return flat[:, self.offset : self.bias_offset].view(-1, self.outputs, self.inputs)

    def bias(self, flat: Tensor) -> Tensor:
        """The biases of every member, a view of ``flat`` [M, parameters]: [M, outputs]."""
        return flat[:, self.bias_offset : self.end]


def layout(architecture: Architecture) -> tuple[Linear, ...]:
    """The linear layers of ``architecture``, hidden layers first and the output layer last."""
    return linear_layers([INPUTS, *architecture.hidden_widths(), CLASSES])


def linear_layers(widths: Sequence[int]) -> tuple[Linear, ...]:
    """The linear layers between activations of ``widths``, from the inputs to the logits."""
    layers = []
    offset = 0
    for index, (inputs, outputs) in enumerate(pairwise(widths)):
        layer = Linear(inputs, outputs, offset, name=str(3 * index))
        layers.append(layer)
        offset = layer.end
    return tuple(layers)


def initial_weights(layers: tuple[Linear, ...], seed: int) -> np.ndarray:
    """One trial's random initialisation, PyTorch's default for ``nn.Linear``: float32 of shape [parameters].

    Weights and biases are uniform on ±1/sqrt(inputs), which is what ``kaiming_uniform_(a=sqrt(5))`` gives
    (He et al. 2015, https://arxiv.org/abs/1502.01852).
    """
    draws = generator(seed, 0, Purpose.INITIALISATION)
    flat = draws.random(layers[-1].end, dtype=np.float32)
    for layer in layers:
        bound = np.float32(1 / sqrt(layer.inputs))
        row = flat[layer.offset : layer.end]
        row *= 2 * bound
        row -= bound
    return flat


def named_weights(layers: tuple[Linear, ...], flat: Tensor, member: int = 0) -> dict[str, np.ndarray]:
    """Copies of one member's tensors under their ``nn.Sequential`` names ("0.weight", "0.bias", ...)."""
    row = flat[member : member + 1].detach().cpu().clone()
    named = {}
    for layer in layers:
        named[f"{layer.name}.weight"] = layer.weight(row)[0].numpy()
        named[f"{layer.name}.bias"] = layer.bias(row)[0].numpy()
    return named


def flat_weights(layers: tuple[Linear, ...], named: dict[str, np.ndarray]) -> np.ndarray:
    """The inverse of ``named_weights``: one row of shape [parameters].

    Raises:
        KeyError: a tensor is missing.
        ValueError: a tensor has another shape.
    """
    flat = np.empty(layers[-1].end, dtype=np.float32)
    for layer in layers:
        flat[layer.offset : layer.bias_offset].reshape(layer.outputs, layer.inputs)[...] = _exact(
            named[f"{layer.name}.weight"], (layer.outputs, layer.inputs)
        )
        flat[layer.bias_offset : layer.end] = _exact(named[f"{layer.name}.bias"], (layer.outputs,))
    return flat


def _exact(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if array.shape != shape:
        raise ValueError(f"expected shape {shape}, found {array.shape}")
    return array


def stack(rows: list[np.ndarray], device: torch.device) -> Tensor:
    """Rows of shape [parameters] as one population on ``device``: [M, parameters]."""
    return torch.from_numpy(np.stack(rows)).to(device)
