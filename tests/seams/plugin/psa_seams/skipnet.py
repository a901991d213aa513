"""A network family: fully connected layers with skip connections, written ``2x8``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod, sqrt
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from psa_tui.errors import ConfigError
from psa_tui.method.ablation import UnitParameters
from psa_tui.method.events import Block
from psa_tui.networks import Network, ParameterSpec
from psa_tui.networks.base import DropoutMasks

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Skipnet(Network):
    """A layer of ``units``, then ``skips`` layers of as many, each added to what it reads, then the head."""

    family: ClassVar[str] = "skipnet"

    skips: int
    units: int
    input_shape: tuple[int, ...]
    classes: int

    def __str__(self) -> str:
        """Return ``2x8``."""
        return f"{self.skips}x{self.units}"

    @property
    def short_name(self) -> str:
        """Return ``2x8``."""
        return str(self)

    @property
    def depth(self) -> int:
        """Hidden layers."""
        return 1 + self.skips

    @property
    def hidden_units(self) -> int:
        """Units of all hidden layers."""
        return self.depth * self.units

    @property
    def input_parameters(self) -> int:
        """Weights of the first layer."""
        return self.inputs * self.units

    @property
    def parameters(self) -> int:
        """Numbers of a row."""
        return sum(block.parameters for block in self.blocks())

    def blocks(self) -> Sequence[Block]:
        """Return the rows of its table on the dashboard."""
        return [
            Block(name="1 entry", units=self.units, parameters=(self.inputs + 1) * self.units),
            Block(name=f"{self.skips} skip", units=self.units, parameters=self.skips * (self.units + 1) * self.units),
            Block(name="output", units=self.classes, parameters=(self.units + 1) * self.classes),
        ]

    @property
    def unit_counts(self) -> Sequence[int]:
        """Units of each layer, the output layer's last."""
        return (*[self.units] * self.depth, self.classes)

    @cached_property
    def tensors(self) -> Sequence[ParameterSpec]:
        """Weight and bias of every layer."""
        found: list[ParameterSpec] = []
        offset, inputs = 0, self.inputs
        for layer, outputs in enumerate(self.unit_counts):
            for name, shape in (("weight", (outputs, inputs)), ("bias", (outputs,))):
                found.append(ParameterSpec(f"layers.{layer}.{name}", shape, offset))
                offset += prod(shape)
            inputs = outputs
        return found

    def unit_parameters(self, layer: int, unit: int) -> UnitParameters:
        """Return a unit's row of weights, its bias, and its column of the following layer."""
        weight, bias, *following = self.tensors[2 * layer : 2 * layer + 3]
        inputs = weight.shape[1]
        start = weight.offset + unit * inputs
        return UnitParameters(
            incoming=(slice(start, start + inputs),),
            bias=(slice(bias.offset + unit, bias.offset + unit + 1),),
            outgoing=tuple(slice(f.offset + unit, f.offset + f.size, f.shape[1]) for f in following),
        )

    def initial_weights(self, draws: np.random.Generator) -> np.ndarray:
        """Draw uniformly on ±1/sqrt(inputs)."""
        return np.concatenate(
            [
                draws.uniform(-1, 1, tensor.size).astype(np.float32) / np.float32(sqrt(weight.shape[1]))
                for weight, bias in zip(self.tensors[::2], self.tensors[1::2], strict=True)
                for tensor in (weight, bias)
            ]
        )

    def forward(self, tensors: Mapping[str, Tensor], inputs: Tensor, dropout: DropoutMasks | None) -> Tensor:
        """Compute logits [batch, classes] of ``inputs`` [batch, *input_shape]."""
        from torch.nn.functional import linear

        def layer(index: int, activations: Tensor) -> Tensor:
            return linear(activations, tensors[f"layers.{index}.weight"], tensors[f"layers.{index}.bias"])

        def dropped(index: int, activations: Tensor) -> Tensor:
            return activations if dropout is None else dropout(activations, index * self.units)

        activations = dropped(0, layer(0, inputs.flatten(1)).relu())
        for index in range(1, self.depth):
            activations = dropped(index, (activations + layer(index, activations)).relu())
        return layer(self.depth, activations)


class SkipnetFamily:
    """Reads ``2x8``."""

    default_architecture = "1x16"

    def parse(self, text: str, input_shape: tuple[int, ...], classes: int) -> Skipnet:
        """Return the network of ``2x8``: 2 skip connections, 8 units a layer."""
        found = re.fullmatch(r"([1-9]\d{0,8})x([1-9]\d{0,8})", text)
        if found is None:
            raise ConfigError("write skips x units, such as 2x8")
        return Skipnet(int(found[1]), int(found[2]), input_shape, classes)
