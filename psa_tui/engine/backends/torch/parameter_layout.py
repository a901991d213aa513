"""The weights of some members as the arithmetic wants them: layer by layer, in one flat tensor.

A population keeps one row per member (see ``psa_tui.engine.population``). While members train together their weights
lie the other way round: all members' weights of the first layer, then of the second, and so on, and in the same way
the biases. Members that see the same images then form one tall matrix per first layer, every batched product
has contiguous operands, layers of one shape can be one batch, and the optimiser still sees one flat tensor.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from torch import Tensor

from psa_tui.networks.stacked import Linear


class ParameterLayout:
    """A number for every parameter of ``members`` networks, seen per layer; also used for gradients."""

    def __init__(self, layers: Sequence[Linear], members: int, like: Tensor, pixel_order: Tensor | None = None) -> None:
        """Allocate zeros of the dtype and on the device of ``like``.

        ``pixel_order``, int64 [inputs], reorders the first layer's inputs.
        """
        self.layers = layers
        self.pixel_order = pixel_order
        self.flat = like.new_zeros(members * layers[-1].end)
        """Every number, the weights layer by layer, then the biases: [members * parameters]."""
        self.weights: list[Tensor] = []
        """Per layer, a view [members, outputs, inputs]."""
        self.biases: list[Tensor] = []
        """Per layer, a view [members, outputs, 1]."""
        end = 0
        for layer in layers:
            begin, end = end, end + members * layer.outputs * layer.inputs
            self.weights.append(self.flat[begin:end].view(members, layer.outputs, layer.inputs))
        self.all_biases = self.flat[end:]
        """The biases of all layers: [members * neurons]."""
        for layer in layers:
            begin, end = end, end + members * layer.outputs
            self.biases.append(self.flat[begin:end].view(members, layer.outputs, 1))

    @property
    def views(self) -> list[Tensor]:
        """Every layer's weights, then every layer's biases: [members, ...]."""
        return [*self.weights, *self.biases]

    def stacked(self) -> list[Tensor]:
        """Return every number once, in few views [layers, members, ...]: neighbours of one shape together."""
        views = []
        for same in (self.weights, self.biases):
            for shape, group in groupby(same, key=lambda view: view.shape):
                found = list(group)
                views.append(found[0].as_strided((len(found), *shape), (found[0].numel(), *found[0].stride())))
        return views

    def load(self, rows: Tensor, members: Tensor) -> None:
        """Take the weights of ``members`` (indices, int64 [members]) from ``rows`` [M, parameters]."""
        for layer, weight, bias in zip(self.layers, self.weights, self.biases, strict=True):
            chosen = layer.weight(rows)[members]
            weight.copy_(chosen if self.pixel_order is None or layer.offset else chosen[:, :, self.pixel_order])
            bias.copy_(layer.bias(rows)[members].unsqueeze(2))

    def store(self, rows: Tensor, members: Tensor) -> None:
        """Write the weights into their rows of ``rows`` [M, parameters], in place: the inverse of ``load``."""
        for layer, weight, bias in zip(self.layers, self.weights, self.biases, strict=True):
            if self.pixel_order is not None and not layer.offset:
                weight = weight[:, :, self.pixel_order.argsort()]
            layer.weight(rows)[members] = weight
            layer.bias(rows)[members] = bias.squeeze(2)
