"""The weights of some members as the arithmetic wants them: layer by layer, in one flat tensor.

A population keeps one row per member (see ``model``). While members train together their weights lie the
other way round: all members' weights of the first layer, then all their biases, and so on. Members that
see the same images then form one tall matrix per first layer, every batched product has a contiguous
operand, and the optimiser still sees a single flat tensor.
"""

from __future__ import annotations

import torch
from torch import Tensor

from psa_tui.engine.model import Linear


class Packed:
    """A tensor for every parameter of ``members`` networks, seen per layer; also used for gradients and moments."""

    def __init__(self, layers: tuple[Linear, ...], members: int, like: Tensor, columns: Tensor | None = None) -> None:
        """Zeros of the dtype and on the device of ``like``; ``columns`` reorders the first layer's inputs."""
        self.layers = layers
        self.columns = columns
        self.flat = torch.zeros(members * layers[-1].end, dtype=like.dtype, device=like.device)
        """Every number, layer by layer: [members * parameters]."""
        self.weights: list[Tensor] = []
        """Per layer, a view [members, outputs, inputs]."""
        self.biases: list[Tensor] = []
        """Per layer, a view [members, outputs, 1]."""
        for layer in layers:
            begin, middle, end = (members * at for at in (layer.offset, layer.bias_offset, layer.end))
            self.weights.append(self.flat[begin:middle].view(members, layer.outputs, layer.inputs))
            self.biases.append(self.flat[middle:end].view(members, layer.outputs, 1))

    def load(self, rows: Tensor, members: Tensor) -> None:
        """Take the weights of ``members`` (indices, int64 [members]) from ``rows`` [M, parameters]."""
        for layer, weight, bias in zip(self.layers, self.weights, self.biases, strict=True):
            chosen = layer.weight(rows)[members]
            weight.copy_(chosen if self.columns is None or layer.offset else chosen[:, :, self.columns])
            bias.copy_(layer.bias(rows)[members].unsqueeze(2))

    def store(self, rows: Tensor, members: Tensor) -> None:
        """The inverse of ``load``: write the weights into their rows of ``rows``, in place."""
        for layer, weight, bias in zip(self.layers, self.weights, self.biases, strict=True):
            if self.columns is not None and not layer.offset:
                weight = weight[:, :, self.columns.argsort()]
            layer.weight(rows)[members] = weight
            layer.bias(rows)[members] = bias.squeeze(2)
